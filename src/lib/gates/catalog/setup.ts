/** The operator's machine and repository. */
import type { Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

export const setupGates = {
  'tools-present': {
    title: 'every tool is there in its pinned version',
    probe: 'tools-present',
    params: ['tools'],
    runbook: talosRunbook,
  },
  'config-sound': {
    title: 'the configuration has no problem',
    probe: 'config-sound',
    params: [],
    runbook: talosRunbook,
  },
  'no-confirm-left': {
    title: 'no fact is left to be confirmed',
    probe: 'no-confirm-left',
    params: [],
    runbook: 'docs/prerequisites.md',
  },
  'op-signed-in': {
    title: '1Password is signed in',
    probe: 'op-signed-in',
    params: [],
    runbook: 'docs/prerequisites.md',
  },
  'talsecret-decrypts': {
    title: "the cluster's Talos secrets are there and decrypt with the age key",
    probe: 'talsecret-decrypts',
    params: [],
    runbook: talosRunbook,
  },
  'talsecret-absent': {
    title: 'the cluster has no Talos secrets yet',
    probe: 'talsecret-absent',
    params: [],
    runbook: talosRunbook,
  },

  'client-certificates-valid': {
    title: 'our certificates for the Talos and Kubernetes APIs are valid for $days more days',
    probe: 'client-certificates-valid',
    params: ['days'],
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
