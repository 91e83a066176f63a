/** What every command on nodes looks at first. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { UnreachableError, UsageError } from '../../lib/errors.ts'
import { observeBasis } from '../../lib/ops/basis.ts'
import { machinePaths } from '../../lib/ops/machine-plan.ts'
import { type NodeView, nodeView } from '../../lib/ops/node-view.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import type { Basis, ClusterNode, Json } from '../../lib/types.ts'

/** Names and addresses are all that such a plan takes from the repository. */
export async function machineBasis(context: CommandContext, observed: { [name: string]: Json }): Promise<Basis> {
  const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
  const options = { worktree: false, tools: pinnedVersions('bootstrap'), paths: machinePaths(cluster.name) }
  const { basis } = await observeBasis(exec, cluster, target, options)
  return { ...basis, observed }
}

/** @throws UnreachableError when the API server does not tell */
export async function observeNodes(context: CommandContext): Promise<NodeView[]> {
  const read = await (await context.kube()).list({ apiVersion: 'v1', kind: 'Node' }, context.signal)
  if (read.ok) return read.value.map(nodeView)
  throw new UnreachableError(`the nodes of ${(await context.cluster()).name} can't be read`, { output: read.detail })
}

/**
 * Views of the named nodes, which need not stand in talconfig.yaml: one that was removed there may still be held.
 * @throws UsageError for names that the cluster does not know
 */
export async function namedNodes(context: CommandContext, names: string[]): Promise<NodeView[]> {
  const all = await observeNodes(context)
  const unknown = names.filter((name) => !all.some((node) => node.name === name))
  if (unknown.length > 0)
    throw new UsageError(`the cluster has no node ${unknown.join(', ')}`, {
      next: `its nodes are: ${all.map(({ name }) => name).join(', ')}`,
    })
  return all.filter(({ name }) => names.includes(name))
}

/** For a plan's basis. */
export const nodeFacts = (nodes: NodeView[]): { [name: string]: Json } =>
  Object.fromEntries(
    nodes.map(({ name, ready, holder }) => [
      name,
      `${ready ? 'Ready' : 'NotReady'}${holder ? `, cordoned by ${holder}` : ''}`,
    ]),
  )

/** @throws UsageError when it is missing: a hold without a reason is one that nobody dares to end */
export function requiredReason(value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '') return value.trim()
  throw new UsageError('--reason is missing', { next: 'say in a few words why the node is taken out' })
}

/**
 * The boot id of each machine. In a preview one that can't be read stands as `unknown`, and no gate passes on it.
 * @throws UnreachableError when it can't be read and the plan is meant to run: a restart could not be told from none
 */
export async function observeBootIds(
  context: CommandContext,
  nodes: ClusterNode[],
): Promise<{ node: ClusterNode; bootId: string }[]> {
  const talos = await context.talos()
  const preview = context.options.dryRun === true || context.options.planOut !== undefined
  return Promise.all(
    nodes.map(async (node) => {
      const read = await talos.read(node.address, '/proc/sys/kernel/random/boot_id', context.signal)
      if (read.ok) return { node, bootId: read.value.trim() }
      if (preview) return { node, bootId: 'unknown' }
      throw new UnreachableError(`${node.hostname} can't be asked for its boot id`, { output: read.detail })
    }),
  )
}
