/**
 * Where clients reach the API server: 6443 of each control plane's address while its machine runs, and of the VIP at
 * whichever of them holds it. This is where faults of the API are played; the lab's own parts go past it.
 */
import { cutOff } from '../network.ts'
import type { ActiveFault, Lab } from '../types.ts'
import { apiPort } from './configuration.ts'
import { createForwarder, type Forwarder } from './forwarder.ts'

export interface FrontDoorState {
  ready: boolean
  controlPlanes: { address: string; mayHoldVip: boolean }[]
}

export interface FrontDoor {
  /** Opens and closes according to the state of now. */
  update(): Promise<void>
  vipHolder(): string | undefined
  close(): Promise<void>
}

export function createFrontDoor(lab: Lab, state: () => FrontDoorState): FrontDoor {
  const { spec } = lab
  const forwarders = new Map<string, Forwarder>()
  let holder: string | undefined
  let flapping: { end: () => void; down: boolean } | undefined
  let queue: Promise<void> = Promise.resolve()

  const forwarder = (address: string) => {
    const known = forwarders.get(address)
    if (known) return known
    const made = createForwarder({ host: address, port: apiPort }, () => ({ host: spec.base, port: apiPort }))
    forwarders.set(address, made)
    return made
  }

  const slownessMs = () => {
    const fault = lab.faults.active('api-slow')
    return fault ? Number(fault.params?.ms ?? 2000) : 0
  }

  const apply = async () => {
    const { ready, controlPlanes } = state()
    const reachable = controlPlanes.filter(({ address }) => !cutOff(lab, address))
    // Whoever has it keeps it, as with Talos' election.
    const candidates = reachable.filter(({ mayHoldVip }) => mayHoldVip).map(({ address }) => address)
    if (!holder || !candidates.includes(holder)) holder = candidates[0]
    const open = ready && !flapping?.down
    const wanted = new Set(open ? controlPlanes.map(({ address }) => address) : [])
    if (open && holder && spec.vip !== holder) wanted.add(spec.vip)
    for (const address of new Set([...forwarders.keys(), ...wanted])) {
      const door = forwarder(address)
      const cut = cutOff(lab, address)
      door.delay(slownessMs())
      door.silence(cut !== undefined && cut.params?.mode !== 'refused')
      if (wanted.has(address) && cut?.params?.mode !== 'refused') await door.open()
      else await door.close()
    }
  }
  // One after the other: opening and closing the same listener must not overtake each other.
  const update = () => {
    queue = queue.then(apply).catch((error: Error) => lab.log('front-door', error.message))
    return queue
  }

  const followFaults = () => {
    const fault = lab.faults.active('api-flaps')
    if (fault && !flapping) flapping = startFlapping(fault)
    if (!fault && flapping) {
      flapping.end()
      flapping = undefined
    }
    void update()
  }

  const startFlapping = (fault: ActiveFault) => {
    const upMs = Number(fault.params?.up ?? 5) * 1000
    const downMs = Number(fault.params?.down ?? 2) * 1000
    let left = fault.params?.times === undefined ? Number.POSITIVE_INFINITY : Number(fault.params.times)
    let timer: NodeJS.Timeout | undefined
    const flap = {
      down: false,
      end: () => clearTimeout(timer),
    }
    const turn = () => {
      if (!flap.down && left <= 0) return
      flap.down = !flap.down
      if (flap.down) left--
      lab.log('front-door', flap.down ? 'api-flaps: closed' : 'api-flaps: open')
      timer = setTimeout(turn, flap.down ? downMs : upMs)
      void update()
    }
    timer = setTimeout(turn, upMs)
    return flap
  }

  const unsubscribe = lab.faults.onChange(followFaults)
  followFaults()

  return {
    update,
    vipHolder: () => holder,
    async close() {
      unsubscribe()
      flapping?.end()
      await queue
      await Promise.all([...forwarders.values()].map((door) => door.close()))
    },
  }
}
