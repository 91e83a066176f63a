/** Reboot, reset, shutdown, upgrade and rollback (v1alpha1_server.go, v1.12.0): checks first, then a sequence of its own. */
import { randomUUID } from 'node:crypto'
import { listMembers, lockUpgradeMutex, readThroughQuorum } from './etcd-gateway.ts'
import { clusterMembers } from './fleet.ts'
import { anyMember } from './methods-etcd.ts'
import {
  type ResetOptions,
  rebootPhases,
  resetPhases,
  shutdownPhases,
  stageUpgradePhases,
  upgradePhases,
} from './phases.ts'
import type { Pending, TalosSystem } from './record.ts'
import { type Method, unary } from './rpc.ts'
import type { Phase, SequenceName } from './sequencer.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { StatusError, statusOf, wrapStatus } from './status.ts'

const service = '/machine.MachineService'

interface ResetRequest {
  graceful: boolean
  reboot: boolean
  systemPartitionsToWipe: { label: string; wipe: boolean }[]
  userDisksToWipe: string[]
  mode: number
}

interface UpgradeRequest {
  image: string
  stage: boolean
  force: boolean
  rebootMode: number
}

export const actionMethods: Method[] = [
  unary<{ mode: number }>(`${service}/Reboot`, async ({ machine }, { mode }) => {
    const actorId = start(machine, 'reboot', { kind: 'reboot' }, rebootPhases(machine, mode))
    return { actorId }
  }),
  unary<{ force: boolean }>(`${service}/Shutdown`, async ({ machine }, { force }) => {
    const actorId = start(machine, 'shutdown', { kind: 'shutdown' }, shutdownPhases(machine, force), true)
    return { actorId }
  }),
  unary<ResetRequest>(`${service}/Reset`, async ({ machine }, request) => {
    const options = resetOptions(machine, request)
    const wipes = (label: string) => options.wipe === 'disk' || options.wipe.includes(label)
    const pending: Pending = {
      kind: 'reset',
      wipeDisk: options.wipe === 'disk',
      wipeState: wipes('STATE'),
      wipeEphemeral: wipes('EPHEMERAL'),
      reboot: options.reboot,
    }
    return { actorId: start(machine, 'reset', pending, resetPhases(machine, options)) }
  }),
  unary<UpgradeRequest>(`${service}/Upgrade`, async ({ machine }, request) => {
    machine.kernelLog.write(`upgrade request received: staged ${request.stage}, force ${request.force}`)
    machine.kernelLog.write(`validating ${JSON.stringify(request.image)}`)
    const system = pullInstaller(machine, request.image)
    if (machine.machine.config?.role === 'controlplane' && !request.force) await validateEtcd(machine)
    const powerCycle = request.rebootMode === 1
    const ack = 'Upgrade request received'
    if (request.stage) {
      machine.record.stagedUpgrade = request.image
      machine.changed()
      return {
        ack,
        actorId: start(machine, 'stageUpgrade', { kind: 'reboot' }, stageUpgradePhases(machine, powerCycle)),
      }
    }
    const pending: Pending = { kind: 'upgrade', image: request.image }
    return { ack, actorId: start(machine, 'upgrade', pending, upgradePhases(machine, system, powerCycle)) }
  }),
  unary(`${service}/Rollback`, async ({ machine }) => {
    const { disk } = machine.record
    if (!disk) throw new StatusError('FailedPrecondition', 'system disk not found')
    if (!disk.fallback) throw new StatusError('Unknown', 'cannot rollback, no previous installation found')
    machine.record.disk = { device: disk.device, boot: disk.fallback, fallback: disk.boot }
    start(machine, 'reboot', { kind: 'reboot' }, rebootPhases(machine, 0), true)
    return {}
  }),
]

const stages = {
  reboot: 'rebooting',
  shutdown: 'shutting down',
  reset: 'resetting',
  upgrade: 'upgrading',
  stageUpgrade: 'upgrading',
} as const

/** Starts the sequence beside the answer, as Talos does: what goes wrong in it is told by events only. */
function start(
  machine: SimulatedMachine,
  sequence: keyof typeof stages & SequenceName,
  pending: Pending,
  phases: Phase[],
  takeover = false,
): string {
  const actorId = randomUUID()
  machine.kernelLog.write(`${sequence} via API received. actor id: ${actorId}`)
  const entered: Phase = { ...(phases[0] as Phase) }
  const first: Phase = {
    ...entered,
    async run(signal) {
      machine.record.pending = pending
      machine.setStage(stages[sequence])
      await entered.run(signal)
    },
  }
  void machine.sequencer.run(sequence, [first, ...phases.slice(1)], { actorId, takeover }).then(async (outcome) => {
    if (outcome !== 'failed') return
    // machined gives up on a fatal sequence error: it goes back to the last boot entry and reboots after 10 s.
    const { disk } = machine.record
    if (disk?.fallback && disk.boot !== machine.record.running) {
      machine.record.disk = { device: disk.device, boot: disk.fallback, fallback: disk.boot }
    }
    await machine.pause(10)
    machine.restart('reboot')
  })
  return actorId
}

function resetOptions(machine: SimulatedMachine, request: ResetRequest): ResetOptions {
  const { graceful, reboot, systemPartitionsToWipe, userDisksToWipe, mode } = request
  const failed = (text: string) => new StatusError('Unknown', text)
  if (userDisksToWipe.length > 0 && mode === 1) {
    throw failed("reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter")
  }
  for (const device of userDisksToWipe) {
    if (!machine.spec.disks.some((disk) => disk.path === device)) {
      throw failed(`reset user disk failed: device ${device} wasn't found`)
    }
    if (machine.record.disk?.device === device)
      throw failed(`reset user disk failed: device ${device} is the system disk`)
  }
  if (systemPartitionsToWipe.length === 0) return { graceful, reboot, wipe: mode === 2 ? [] : 'disk' }
  if (mode === 2) {
    throw failed("reset failed: invalid input, wipe mode USER_DISKS doesn't support SystemPartitionsToWipe parameter")
  }
  const located = new Set(['META', 'STATE', 'EPHEMERAL', 'BOOT', 'EFI'])
  for (const { label } of systemPartitionsToWipe) {
    if (located.has(label) || label.startsWith('u-')) continue
    const missing = `resource VolumeStatuses.block.talos.dev(runtime/${label}@undefined) doesn't exist`
    throw failed(`failed to get volume status with label ${JSON.stringify(label)}: ${missing}`)
  }
  const wipe = systemPartitionsToWipe.filter((partition) => partition.wipe).map((partition) => partition.label)
  return { graceful, reboot, wipe }
}

function pullInstaller(machine: SimulatedMachine, image: string): TalosSystem {
  try {
    return machine.fleet.images.pull(image)
  } catch (error) {
    throw new StatusError(
      'Unknown',
      `error validating installer image ${JSON.stringify(image)}: ${statusOf(error).message}`,
    )
  }
}

/** The upgrade mutex for the time of the checks, then ValidateForUpgrade: every member started and within a quorum. */
async function validateEtcd(machine: SimulatedMachine): Promise<void> {
  const members = clusterMembers(machine).map((member) => member.cluster.etcdMember(member.machine))
  let own: ReturnType<typeof anyMember>
  try {
    own = anyMember(machine)
  } catch (error) {
    throw wrapStatus('failed to create etcd client', error)
  }
  let unlock: () => Promise<void>
  try {
    unlock = await lockUpgradeMutex(own)
  } catch (error) {
    throw wrapStatus('failed to acquire upgrade mutex', error)
  }
  try {
    await validateMembers(own, members)
  } catch (error) {
    throw wrapStatus('error validating etcd for upgrade', error)
  } finally {
    await unlock().catch(() => {})
  }
}

type Member = ReturnType<typeof anyMember>

async function validateMembers(own: Member, known: (Member | undefined)[]): Promise<void> {
  const refuse = (text: string) => new Error(text)
  const members = await listMembers(own)
  if (members.length === 2) {
    throw refuse(`etcd member count(${members.length}) is insufficient to maintain quorum if upgrade commences`)
  }
  for (const { ID, name, clientURLs } of members) {
    const id = BigInt(ID).toString(16).padStart(16, '0')
    if (name === '') throw refuse(`etcd member ${id} is not started, all members must be running to perform an upgrade`)
    const reachable = known.find((member) => member && clientURLs.includes(member.clientUrl)) ?? {
      ...own,
      clientUrl: clientURLs[0] ?? own.clientUrl,
    }
    try {
      await readThroughQuorum(reachable)
    } catch (error) {
      const prefix = `etcd member ${id} is not healthy; all members must be healthy to perform an upgrade`
      throw wrapStatus(prefix, error)
    }
  }
}
