import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { forOption, untilOf, wholeSeconds } from '../../lib/cli/hold-options.ts'
import { confirmOption } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { asksFor, osdIdOf, osdNodeOf, reasonsToKeep } from '../../lib/gates/ceph-osds.ts'
import { cephRunbook } from '../../lib/ops/ceph-maintenance.ts'
import {
  type OsdDisk,
  type OsdPlace,
  osdName,
  osdRemoveOperation,
  planOsdAbort,
  planOsdRemove,
  refuseAbort,
} from '../../lib/ops/ceph-osd-remove.ts'
import { holdFacts } from '../../lib/ops/flux-hold.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { cephJobKeys, osdSubject } from '../../lib/tools/ceph-job.args.ts'
import type { KubeObject, Plan } from '../../lib/types.ts'
import { holdBasis } from '../flux/holding.ts'
import { observeCephOsds, osdNumber, osdPlace, type SeenCeph, unfinished } from './observe-osds.ts'
import { askedNodes, storageEdit } from './storage-proposal.ts'

export const osdLimitOptions = [
  { flags: '--rebalance-timeout <duration>', description: 'how long Ceph may move its data', default: '24h' },
  {
    flags: '--stall-timeout <duration>',
    description: 'how long nothing of it has to move until it stops',
    default: '30m',
  },
  { flags: '--settle-timeout <duration>', description: 'how long Ceph may take to be well at the end', default: '30m' },
]

export const osdLimits = ({ options }: CommandContext) => ({
  rebalanceSec: parseDurationSec(String(options.rebalanceTimeout)),
  stallSec: parseDurationSec(String(options.stallTimeout)),
  settleSec: parseDurationSec(String(options.settleTimeout)),
})

export const cephOsdRemove = defineCommand({
  path: 'ceph osd remove',
  summary: 'Take an OSD out of Ceph for good, once its data are elsewhere',
  description:
    "Asks Ceph whether it can do without it (exit 3 when not), marks it out and waits until Ceph says that it is safe to destroy; holds the HelmRelease of Rook's operator, stops the operator and the OSD, and has Rook's own Job purge it. Before the operator comes back the disk can't become the same OSD again: it is wiped (--wipe), or pulled (--swap), or Git does not ask for the node's disks any more; that edit is shown. A run that is stopped goes on with `run resume`; --abort brings everything back from any machine, the OSD as long as its purge has not begun.",
  effect: 'write',
  args: { osd: 'its number: 3, osd.3' },
  options: [
    { flags: '--wipe <device>', description: 'wipe this disk of its machine, as `talosctl get disks` names it' },
    { flags: '--swap <device>', description: 'wait until this disk is pulled, or wiped by hand' },
    { flags: '--destroy-data', description: 'what its disk holds may go', default: false },
    { flags: '--abort', description: 'end a removal that did not come to its end', default: false },
    ...osdLimitOptions,
    forOption('48h'),
    { flags: '--reason <text>', description: 'why; it stands on what is held', default: 'none given' },
    confirmOption('the OSD'),
  ],
  examples: [
    'k8sops ceph osd remove 3 --cluster apps --dry-run',
    'k8sops ceph osd remove osd.3 --destroy-data --swap nvme1n1 --reason "dying, ticket 4711" --cluster apps',
    'k8sops ceph osd remove 3 --abort --cluster apps',
  ],
  runbook: cephRunbook,
  async plan(context) {
    const seen = await observeCephOsds(context)
    const id = osdNumber(context.args.osd ?? '')
    return context.options.abort === true ? abort(context, seen, id) : remove(context, seen, osdPlace(seen, id))
  },
  confirm: ({ operation, cluster, params }) => {
    if (operation !== osdRemoveOperation) return undefined
    const disk = params.disk === null ? `its disk in ${String(params.node)}` : String(params.disk)
    return `LOST for good: ${String(params.osd)} of ${cluster}, and what ${disk} holds${params.wipe === true ? ', which is wiped' : ''}.`
  },
  confirmName: ({ operation, params }) => (operation === osdRemoveOperation ? String(params.osd) : undefined),
})

async function remove(context: CommandContext, seen: SeenCeph, osd: OsdPlace): Promise<Plan> {
  const { options } = context
  const { cluster, target, operator, releases } = seen
  const preview = options.dryRun === true || options.planOut !== undefined
  if (options.destroyData !== true && !preview)
    throw new UsageError(`what the disk of ${osdName(osd)} holds would be lost: --destroy-data is missing`, {
      next: 'see the plan first with --dry-run',
    })
  const left = unfinished(seen, osd.id)
  if (left)
    throw new GateError('the removal of an OSD did not come to its end', {
      output: left.left.join('\n'),
      next: `k8sops ceph osd remove ${osd.id} --abort; on the machine where it ran also: k8sops run resume`,
      runbook: cephRunbook,
    })
  const disk = diskOf(seen, osd, options)
  await tellStorage(context, seen, osd, disk, preview)
  const reasons = reasonsToKeep({
    osd: osd.id,
    cluster: seen.ceph,
    pools: seen.pools,
    osds: seen.osds,
    tolerate: cluster.gates.ceph.tolerate,
  })
  if (reasons.length > 0 && !preview)
    throw new GateError(`Ceph can't do without ${osdName(osd)}`, {
      output: reasons.join('\n'),
      next: 'k8sops ceph status',
      runbook: cephRunbook,
    })
  for (const reason of reasons) context.note(`as it is, it would be refused: ${reason}`)
  const now = context.now()
  const limits = osdLimits(context)
  if (parseDurationSec(String(options.for)) <= limits.rebalanceSec)
    throw new UsageError(`the hold has to last longer than Ceph may move its data: --for ${options.for}`, {
      next: 'give a longer --for, or a shorter --rebalance-timeout',
    })
  const note = {
    id: operationToken(osdRemoveOperation, new Date(now)),
    owner: operatorName(),
    reason: `removal of ${osdName(osd)}: ${String(options.reason)}`,
    since: wholeSeconds(now),
    until: untilOf(options.for, now),
    scope: `app/${releases[0]?.name ?? operator.name}`,
  }
  const observed = { osd: `${osdName(osd)} on ${osd.node}`, objects: holdFacts(releases), operator: operator.replicas }
  const basis = await holdBasis(context, observed)
  return planOsdRemove({ cluster, target, osd, operator, releases, note, disk, limits }, basis)
}

function diskOf({ cluster }: SeenCeph, { node }: OsdPlace, options: CommandContext['options']): OsdDisk | undefined {
  const [wiped, swapped] = [textOption(options.wipe), textOption(options.swap)]
  if (wiped !== undefined && swapped !== undefined) throw new UsageError('--wipe and --swap are one or the other')
  const device = (wiped ?? swapped)?.replace(/^\/dev\//, '')
  if (device === undefined) return undefined
  const address = cluster.nodes.find(({ hostname }) => hostname === node)?.address
  if (address === undefined) throw new UsageError(`talconfig.yaml of ${cluster.name} has no node ${node}`)
  return { address, device, wipe: wiped !== undefined }
}

/** @throws GateError where Rook would bring the OSD back: its disk stays, and is asked for */
async function tellStorage(
  context: CommandContext,
  { ceph, osds, cluster }: SeenCeph,
  { node, ...osd }: OsdPlace,
  disk: OsdDisk | undefined,
  preview: boolean,
): Promise<void> {
  if (!asksFor(ceph, node)) return
  const all = cluster.nodes.map(({ hostname }) => hostname)
  const nodes = askedNodes(ceph, all).filter((name) => name !== node)
  const edit = await storageEdit(context, { nodes })
  const others =
    osds.filter((one) => osdNodeOf(one) === node).length > 1
      ? `; other OSDs of ${node} stay, and are not made anew`
      : ''
  const what = `so that Rook looks for no disks on ${node} any more, commit this first${others}:\n${edit}`
  if (disk) return context.note(`Rook will make a new OSD of whatever empty disk it finds on ${node}; ${what}`)
  if (preview) return context.note(what)
  throw new GateError(`Rook would bring ${osdName(osd)} back: the CephCluster asks for the disks of ${node}`, {
    output: edit,
    next: 'commit that edit and wait until Flux has applied it; or, for a disk that is replaced: --swap DEVICE, --wipe DEVICE',
    runbook: cephRunbook,
  })
}

async function abort(context: CommandContext, seen: SeenCeph, id: string): Promise<Plan> {
  const { cluster, target, namespace, operator, parked, jobs, releases, osds } = seen
  const left = unfinished(seen, id)
  if (!left)
    throw new GateError(`no removal of osd.${id} is under way`, { next: 'k8sops ceph status', runbook: cephRunbook })
  const own = jobs.filter(({ metadata }) => metadata.labels?.[cephJobKeys.subject] === osdSubject(id))
  const [other] = jobs.filter((job) => job.metadata.annotations?.[cephJobKeys.by] === left.token && !own.includes(job))
  if (other)
    throw new GateError(`what is left is of the removal of ${other.metadata.labels?.[cephJobKeys.subject]}`, {
      output: left.left.join('\n'),
      next: 'k8sops ceph osd remove OSD --abort, of that one',
      runbook: cephRunbook,
    })
  const purge = own.find(({ metadata }) => metadata.labels?.[cephJobKeys.verb] === 'purge')
  const found = osds.find((one) => osdIdOf(one) === id)
  // One that is younger than the purge is another one, with its number.
  const whole = found !== undefined && !(purge && createdAt(found) > createdAt(purge))
  const osd = whole ? osdPlace(seen, id) : purgedPlace(namespace, id)
  refuseAbort({ whole, purging: purge !== undefined }, osd)
  const held = releases.filter(({ hold }) => hold?.id === left.token)
  const basis = await holdBasis(context, { left: left.left, objects: holdFacts(held) })
  const settleSec = osdLimits(context).settleSec
  return planOsdAbort({ cluster, target, osd, operator, token: left.token, parked, held, whole, settleSec }, basis)
}

const createdAt = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? '')

const purgedPlace = (namespace: string, id: string): OsdPlace => ({
  id,
  uid: '',
  namespace,
  node: '',
  host: '',
  deployment: { kind: 'Deployment', namespace, name: `rook-ceph-osd-${id}`, replicas: 1 },
})
