/** Whether a version may come to a cluster yet: what the clusters before it in the rollout order show. Reads only. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { clusterHealthy } from '../../lib/gates/lifecycle-sets.ts'
import {
  earlierClusters,
  requireSoak,
  type SoakEvidence,
  type Soaked,
  type SoakRule,
  soakFact,
  soakFaults,
} from '../../lib/ops/soak.ts'
import type { Json } from '../../lib/types.ts'

/** Options of every command that brings a version to a cluster. */
export const soakOptions = [
  {
    flags: '--now',
    description:
      'neither wait for the soak on the clusters that come first nor for the maintenance window; needs --reason',
    default: false,
  },
  { flags: '--reason <text>', description: 'why --now, or --worktree; it is recorded in the run' },
]

export interface ObservedSoak {
  /** For `basis.observed`. */
  fact: Json
  /** @throws GateError (exit 3) when it has not soaked, and there is no `--now` */
  require: () => void
  /** Why it is not waited for. */
  now?: string
}

/** @throws UsageError for --now without a reason */
export async function observeSoak(context: CommandContext, what: Soaked, version: string): Promise<ObservedSoak> {
  const { options } = context
  const reason = typeof options.reason === 'string' && options.reason.trim() !== '' ? options.reason : undefined
  if (options.now === true && reason === undefined)
    throw new UsageError('--now needs --reason TEXT', { next: 'say why the version can not soak first' })
  const [cluster, { rollout }] = await Promise.all([context.cluster(), context.repository()])
  const earlier = earlierClusters(rollout.order, cluster.name)
  const rule: SoakRule = { what, version, soakSec: rollout.soakHours * 3600, now: new Date() }
  const evidence = await Promise.all(earlier.map((name) => readEvidence(context, name)))
  const faults = evidence.flatMap((one) => soakFaults(one, rule))
  const now = options.now === true ? reason : undefined
  return {
    fact: soakFact(faults, earlier, now),
    require: () => requireSoak(faults, rule, now),
    ...(now === undefined ? {} : { now }),
  }
}

/** A cluster that can't be asked has no evidence, which is a reason not to go on, and no error of its own. */
async function readEvidence(context: CommandContext, name: string): Promise<SoakEvidence> {
  const nothing = { cluster: name, nodes: [], staticPods: [] }
  try {
    const { cluster, kube, gates } = await context.another(name)
    const port = await kube()
    const [nodes, pods, gate] = await Promise.all([
      port.list({ apiVersion: 'v1', kind: 'Node' }, context.signal),
      port.list(
        { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'tier=control-plane' },
        context.signal,
      ),
      gates(),
    ])
    if (!nodes.ok || !pods.ok) return { ...nothing, unwell: [nodes.ok ? 'its pods could not be read' : nodes.detail] }
    const verdicts = await Promise.all(clusterHealthy(cluster).map((check) => gate.evaluate(check, context.signal)))
    return {
      cluster: name,
      nodes: nodes.value,
      staticPods: pods.value,
      unwell: verdicts.flatMap((verdict) => (verdict.status === 'pass' ? [] : [verdict.detail])),
    }
  } catch (error) {
    return { ...nothing, unwell: [(error as Error).message] }
  }
}
