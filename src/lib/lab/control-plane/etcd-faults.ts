/** Faults of etcd's members: who must not run, who stays a learner, and alarms. All of them happen to the real members. */
import { setTimeout as delay } from 'node:timers/promises'
import { cutOff } from '../network.ts'
import type { ActiveFault, Lab, Machine } from '../types.ts'
import type { Etcd } from './etcd.ts'

export interface EtcdFaults {
  /** Its member must not run now. */
  keepsOut(machine: Machine): boolean
  /** Brings the members to where the faults want them; called after every change of machines and faults. */
  follow(machines: Machine[]): Promise<void>
}

const retryMs = 500

/** @param freed called when a member that was kept out may run again */
export function createEtcdFaults(lab: Lab, etcd: Etcd, freed: () => void): EtcdFaults {
  /** Addresses whose member was made a learner by the fault that is on. */
  const demoted = new Set<string>()
  const wiping = new Set<string>()
  let alarm: { fault: ActiveFault; memberId: string } | undefined
  let busy: Promise<void> = Promise.resolve()
  let alarming: Promise<void> = Promise.resolve()
  let known: Machine[] = []

  const addressOf = (machine: Machine) => machine.spec.address
  const lost = (machine: Machine) => lab.faults.active('etcd-member-lost', addressOf(machine))

  /** One member of several has no quorum; of a single one even that must go. */
  const survivesNoLeader = (machine: Machine) => {
    const first = known.map(addressOf).sort()[0]
    return known.length > 1 && addressOf(machine) === first
  }
  const keepsOut = (machine: Machine) =>
    wiping.has(addressOf(machine)) ||
    lost(machine) !== undefined ||
    // Behind a dead network a member is as good as stopped, to the others and to itself.
    cutOff(lab, addressOf(machine)) !== undefined ||
    (lab.faults.active('etcd-no-leader') !== undefined && !survivesNoLeader(machine))

  const follow = async () => {
    for (const machine of known) {
      const address = addressOf(machine)
      if (lost(machine)?.params?.data === 'gone' && etcd.hasData(machine)) await etcd.wipe(machine)
      else if (keepsOut(machine)) await etcd.stop(machine)
      const stuck = lab.faults.active('etcd-learner-stuck', address) !== undefined
      if (stuck && !demoted.has(address) && etcd.hasData(machine)) {
        demoted.add(address)
        lab.log('etcd', `${machine.config?.hostname} joins once more, and stays a learner`)
        wiping.add(address)
        await etcd.wipe(machine).finally(() => wiping.delete(address))
        freed()
      }
      if (!stuck) demoted.delete(address)
    }
    // Beside the rest: without a leader it would wait for the very change that the rest has to make.
    alarming = alarming.then(followAlarm)
  }

  const followAlarm = async () => {
    const fault = lab.faults.active('etcd-alarm')
    if (fault && !alarm) {
      const of = known.find((machine) => fault.node === undefined || lab.faults.active(fault.name, addressOf(machine)))
      const memberId = of && (await untilDone(() => etcd.alarm(of, 'ACTIVATE', typeOf(fault)), fault))
      if (memberId) alarm = { fault, memberId }
    } else if (!fault && alarm) {
      const { fault: gone, memberId } = alarm
      const [through] = known
      if (through) await untilDone(() => etcd.alarm(through, 'DEACTIVATE', typeOf(gone), memberId), undefined)
      alarm = undefined
    }
  }
  const typeOf = ({ params }: ActiveFault) => (params?.alarm === 'CORRUPT' ? 'CORRUPT' : 'NOSPACE')

  /** Without a leader nothing can be raised; the attempt goes on until the fault has changed. */
  const untilDone = async (
    act: () => Promise<string>,
    wanted: ActiveFault | undefined,
  ): Promise<string | undefined> => {
    while ((lab.faults.active('etcd-alarm') === undefined) === (wanted === undefined)) {
      try {
        return await act()
      } catch (error) {
        lab.log('etcd', `etcd-alarm: ${(error as Error).message}`)
        await delay(retryMs)
      }
    }
    return undefined
  }

  return {
    keepsOut,
    follow(machines) {
      known = machines
      busy = busy.then(follow).catch((error: Error) => lab.log('etcd', error.message))
      return busy
    },
  }
}
