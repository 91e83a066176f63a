/** The API server, and the operator's way to it. */
import type { Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

export const apiGates = {
  'kubeconfig-merged': {
    title: "the operator's kubeconfig has the cluster's context, going to $server",
    probe: 'kubeconfig-merged',
    params: ['server'],
    runbook: talosRunbook,
  },
  'context-not-foreign': {
    title: "no other cluster hides behind the context's name",
    probe: 'context-not-foreign',
    params: [],
    runbook: gatesRunbook,
  },
  'cluster-identity': {
    title: 'the API server behind the context is this cluster',
    probe: 'cluster-identity',
    params: [],
    runbook: gatesRunbook,
  },
  'api-ready': {
    title: 'the API server is ready at $servers',
    probe: 'api-ready',
    params: ['servers'],
    everySec: 1,
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
