import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { asksFor, osdNodeOf } from '../../lib/gates/ceph-osds.ts'
import { expandOperation, planExpand } from '../../lib/ops/ceph-expand.ts'
import { cephRunbook } from '../../lib/ops/ceph-maintenance.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { holdBasis } from '../flux/holding.ts'
import { observeCephOsds } from './observe-osds.ts'
import { osdLimitOptions, osdLimits } from './osd-remove.ts'
import { askedNodes, storageEdit } from './storage-proposal.ts'

export const cephExpand = defineCommand({
  path: 'ceph expand',
  summary: 'Let Ceph grow onto new disks or nodes, and watch how it moves its data',
  description:
    'Shows the edit of Git by which Rook looks for disks on the nodes (exit 3 until it is live), then has Rook look, waits until each node has its OSDs, and watches until every placement group is whole again. What no longer moves stops the run (--stall-timeout); Ceph goes on meanwhile, and `run resume` looks on.',
  effect: 'write',
  options: [
    nodesOption('none; name them'),
    { flags: '--osds <n>', description: 'how many OSDs each of them has in the end', default: '1' },
    {
      flags: '--device-path-filter <regex>',
      description: 'which disks Rook may take, when that changes: part of the edit',
    },
    { flags: '--make-timeout <duration>', description: 'how long Rook may take to make the OSDs', default: '30m' },
    ...osdLimitOptions,
  ],
  examples: [
    'k8sops ceph expand --node apps-w4 --cluster apps --dry-run',
    'k8sops ceph expand --node apps-w1 apps-w2 --osds 2 --cluster apps',
  ],
  runbook: cephRunbook,
  async plan(context) {
    const { options } = context
    const names = (options.node ?? []) as string[]
    if (names.length === 0) throw new UsageError('--node is missing', { next: 'name the nodes that have new disks' })
    const osds = Number(options.osds)
    if (!Number.isInteger(osds) || osds < 1) throw new UsageError(`--osds ${String(options.osds)} is no number of OSDs`)
    const seen = await observeCephOsds(context)
    const { cluster, target, ceph, namespace, operator } = seen
    const nodes = chosenNodes(cluster, names).map(({ hostname }) => hostname)
    const filter = textOption(options.devicePathFilter)
    const live = (ceph.spec?.storage as { devicePathFilter?: string } | undefined)?.devicePathFilter
    const unasked = nodes.filter((node) => !asksFor(ceph, node))
    const isOther = filter !== undefined && filter !== live
    if (unasked.length > 0 || isOther) {
      const asked = askedNodes(
        ceph,
        cluster.nodes.map(({ hostname }) => hostname),
      )
      const edit = await storageEdit(context, {
        ...(unasked.length > 0 ? { nodes: [...asked, ...unasked] } : {}),
        ...(isOther ? { filter } : {}),
      })
      const preview = options.dryRun === true || options.planOut !== undefined
      if (!preview)
        throw new GateError(
          unasked.length > 0
            ? `the CephCluster does not ask for disks of ${unasked.join(', ')}`
            : 'the CephCluster asks for other disks',
          {
            output: edit,
            next: 'commit that edit, wait until Flux has applied it, and try again',
            runbook: cephRunbook,
          },
        )
      context.note(`commit this first:\n${edit}`)
    }
    const token = operationToken(expandOperation, new Date(context.now()))
    const limits = { ...osdLimits(context), makeSec: parseDurationSec(String(options.makeTimeout)) }
    const there = Object.fromEntries(
      nodes.map((node) => [node, seen.osds.filter((one) => osdNodeOf(one) === node).length]),
    )
    const basis = await holdBasis(context, { osds: there })
    return planExpand({ cluster, target, namespace, operator, nodes, osds, token, limits }, basis)
  },
})
