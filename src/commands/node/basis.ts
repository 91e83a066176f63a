/** What every command on nodes looks at first. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { UnreachableError, UsageError } from '../../lib/errors.ts'
import { basisOf } from '../../lib/ops/basis.ts'
import { machinePaths } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { type HoldInput, holderName } from '../../lib/ops/node-hold.ts'
import { type NodeView, nodeView } from '../../lib/ops/node-view.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import type { Basis, ClusterNode, Json } from '../../lib/types.ts'

/** Names and addresses are all that such a plan takes from the repository. */
export async function machineBasis(context: CommandContext, observed: { [name: string]: Json }): Promise<Basis> {
  const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
  const files = { tools: pinnedVersions('bootstrap'), paths: machinePaths(cluster.name) }
  return basisOf(exec, target, files, observed)
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

/**
 * The nodes that the command line names, to be held by the operator with the reason that was given.
 * @throws UsageError without a reason: a hold without one is one that nobody dares to end
 */
export async function observeHold(
  context: CommandContext,
  operation: 'node.cordon' | 'node.drain',
): Promise<{ input: HoldInput; basis: Basis }> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const nodes = chosenNodes(cluster, context.rest.node)
  const { reason } = context.options
  if (typeof reason !== 'string' || reason.trim() === '')
    throw new UsageError('--reason is missing', { next: 'say in a few words why the node is taken out' })
  const names = nodes.map(({ hostname }) => hostname)
  const basis = await machineBasis(context, { nodes: nodeFacts(await namedNodes(context, names)) })
  const by = holderName(operation, operatorName())
  return {
    input: { cluster, target, nodes, hold: { by, reason: reason.trim(), since: new Date().toISOString() } },
    basis,
  }
}

/** For a plan's basis. */
export const nodeFacts = (nodes: NodeView[]): { [name: string]: Json } =>
  Object.fromEntries(
    nodes.map(({ name, ready, holder }) => [
      name,
      `${ready ? 'Ready' : 'NotReady'}${holder ? `, cordoned by ${holder}` : ''}`,
    ]),
  )

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
      const read = await talos.bootId(node.address, context.signal)
      if (read.ok) return { node, bootId: read.value }
      if (preview) return { node, bootId: 'unknown' }
      throw new UnreachableError(`${node.hostname} can't be asked for its boot id`, { output: read.detail })
    }),
  )
}
