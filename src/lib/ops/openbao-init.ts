/**
 * The first start of an OpenBao: it is initialized, what that gives out goes straight into 1Password, and its setup is run. No secret is
 * ever in a file, an argument list or a log.
 */
import { injectArgs } from '../tools/op.args.ts'
import { createItemArgs, type VaultPod, vaultInitArgs, vaultItemArgs, vaultSetupArgs } from '../tools/openbao.args.ts'
import type { Basis, Cluster, KubeObject, Plan, Step, Target } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { planOf } from './machine-plan.ts'

export const openbaoRunbook = 'docs/runbooks/openbao.md'

export interface VaultInput {
  cluster: Cluster
  target: Pick<Target, 'context'>
  /** The server that is asked. */
  pod: VaultPod
  /** Item of the cluster's 1Password vault that keeps recovery keys and the root token. */
  item: string
  /** 1Password's vault. */
  vault: string
  /** Template with what the setup wants on stdin, relative to the repository. */
  template: string
}

/** Where a server has its setup (the chart's `server.volumes`). */
const setupScript = '/openbao/setup/configure.sh'
const recovery = { shares: 5, threshold: 3 }

export function planOpenbaoInit(input: VaultInput, basis: Basis): Plan {
  const { cluster, pod, item, vault } = input
  const params = { pod: `${pod.namespace}/${pod.name}`, item: `${vault}/${item}` }
  const head = {
    operation: 'platform.openbao-init',
    cluster: cluster.name,
    params,
    scope: `namespace/${pod.namespace}`,
  }
  return planOf(head, basis, [initStep(input), setupStep(input)])
}

/** Between its first and its last process the keys are in memory only: 1Password is asked before whether it takes anything. */
function initStep({ target, pod, item, vault }: VaultInput): Step {
  return {
    id: 'openbao/init',
    title: `Initialize OpenBao, and keep its recovery keys and root token as item ${item} in vault ${vault}`,
    unless: [check('openbao-initialized')],
    require: [check('openbao-running'), check('op-signed-in')],
    action: {
      kind: 'exec',
      pipeline: [
        vaultInitArgs(target.context, pod, recovery.shares, recovery.threshold),
        vaultItemArgs(item),
        createItemArgs(vault),
      ],
    },
    verify: [check('openbao-initialized'), check('openbao-unsealed')],
    // Ended halfway, there would be keys that nobody has.
    interrupt: 'after',
    timeoutSec: 300,
    runbook: openbaoRunbook,
  }
}

/** Only adds what is missing and reads back what it wrote, so it may run as often as one likes. */
function setupStep({ target, pod, template }: VaultInput): Step {
  return {
    id: 'openbao/setup',
    title: 'Run its setup: the KV store, policies, and who may log in',
    require: [check('openbao-unsealed'), check('op-signed-in')],
    action: { kind: 'exec', pipeline: [injectArgs(template), vaultSetupArgs(target.context, pod, setupScript)] },
    verify: [check('openbao-unsealed')],
    interrupt: 'now',
    timeoutSec: 120,
    runbook: openbaoRunbook,
  }
}

/** The first of a StatefulSet's pods: the others join it. */
export function firstServer(sets: KubeObject[]): VaultPod | undefined {
  const [set] = sets.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  return set && { namespace: set.metadata.namespace ?? '', name: `${set.metadata.name}-0` }
}

interface InitAnswer {
  recovery_keys_b64?: string[]
  recovery_keys_shares?: number
  recovery_keys_threshold?: number
  root_token?: string
}

/**
 * 1Password's template for an item (op 2, `op item template get "Secure Note"`), with every value concealed.
 * @param text what `bao operator init -format=json` printed
 * @throws Error when it is no such answer: nothing may be lost without a word
 */
export function itemTemplate(title: string, text: string): string {
  const { recovery_keys_b64: keys = [], root_token: token } = JSON.parse(text) as InitAnswer
  if (!token || keys.length === 0) throw new Error('bao operator init gave no root token or no recovery keys')
  const field = (id: string, value: string) => ({ id, type: 'CONCEALED', label: id, value })
  return JSON.stringify({
    title,
    category: 'SECURE_NOTE',
    fields: [field('root-token', token), ...keys.map((key, index) => field(`recovery-key-${index + 1}`, key))],
  })
}
