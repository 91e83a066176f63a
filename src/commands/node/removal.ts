/** What `node remove` and `node replace` look at before they plan, and what they refuse. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { UsageError } from '../../lib/errors.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import type { RemoveInput } from '../../lib/ops/node-remove.ts'
import type { Basis } from '../../lib/types.ts'
import { machineBasis, observeBootIds, observeNodes } from './basis.ts'

/** @throws UsageError without the flag that says that data goes */
export async function observeRemoval(
  context: CommandContext,
  operation: 'node.remove' | 'node.replace',
): Promise<{ input: RemoveInput; basis: Basis }> {
  const { options, args, signal } = context
  const [cluster, target, talos] = await Promise.all([context.cluster(), context.target(), context.talos()])
  const [node] = chosenNodes(cluster, args.node)
  if (!node) throw new UsageError('which node?')
  const gone = options.gone === true
  const preview = options.dryRun === true || options.planOut !== undefined
  if (!gone && options.wipe !== true && !preview) {
    throw new UsageError(`${node.hostname} would be wiped: --wipe is missing`, {
      next: `--wipe, when its data may go; --gone, when the machine does not come back`,
    })
  }
  const [views, etcd] = await Promise.all([observeNodes(context), observeEtcd(talos, cluster, signal)])
  const [boot] = gone ? [] : await observeBootIds(context, [node])
  const view = views.find(({ name }) => name === node.hostname)
  const etcdMember = etcd.members.find(({ name }) => name === node.hostname)?.member
  const bootId = boot?.bootId ?? 'unknown'
  const input: RemoveInput = {
    cluster,
    target,
    node,
    nodes: [node],
    bootId,
    uid: view?.uid ?? 'none',
    ...(etcdMember ? { etcdMember } : {}),
    gone,
    userVolumes: [options.wipeVolume ?? []].flat().map(String),
    write: false,
    drainTimeoutSec: parseDurationSec(String(options.drainTimeout)),
    settleTimeoutSec: parseDurationSec(String(options.settleTimeout)),
    resetTimeoutSec: parseDurationSec(String(options.resetTimeout)),
    operation: operationToken(operation, new Date()),
  }
  return { input, basis: await machineBasis(context, { bootId, etcd: etcd.facts }) }
}
