/** The machines of one lab among themselves: who is at an address, and whether one machine's apid reaches another's. */
import type { Lab } from '../types.ts'
import { createImageCatalog, type ImageCatalog } from './images.ts'
import { type KubernetesNodes, watchKubernetesNodes } from './kubernetes-nodes.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { StatusError } from './status.ts'
import { talosPort } from './transport.ts'

export interface Fleet {
  machines: Map<string, SimulatedMachine>
  images: ImageCatalog
  nodes: KubernetesNodes
}

export interface FleetOptions {
  images?: ImageCatalog
  /** Instead of the watch on the lab's API server. */
  nodes?: KubernetesNodes
}

const fleets = new WeakMap<Lab, Fleet>()

/** The lab's fleet; options count for the first machine that asks. */
export function fleetOf(lab: Lab, options: FleetOptions = {}): Fleet {
  const known = fleets.get(lab)
  if (known) return known
  const fleet: Fleet = {
    machines: new Map(),
    images: options.images ?? createImageCatalog(lab),
    nodes: options.nodes ?? watchKubernetesNodes(lab),
  }
  fleets.set(lab, fleet)
  return fleet
}

/** Removes a machine that was stopped; the last one ends the node watch. */
export function leaveFleet(lab: Lab, address: string): void {
  const fleet = fleets.get(lab)
  fleet?.machines.delete(address)
  if (fleet?.machines.size !== 0) return
  fleet.nodes.stop()
  fleets.delete(lab)
}

/** Machines whose config is of the same Talos PKI, as discovery would show them. */
export function clusterMembers(machine: SimulatedMachine): SimulatedMachine[] {
  const ca = machine.machine.config?.ca.talos.crt
  return [...machine.fleet.machines.values()].filter(
    (other) => ca !== undefined && other.machine.config?.ca.talos.crt === ca,
  )
}

/**
 * The machine that a request for `target` is forwarded to. Forwarding happens inside the supervisor; what apid would
 * meet on the wire (nobody there, another PKI, a wrong certificate) is told in its words.
 * @param target address or hostname
 * @throws StatusError (Unavailable)
 */
export async function forward(from: SimulatedMachine, target: string): Promise<SimulatedMachine> {
  const to = findMachine(from, target)
  const dial = `dial tcp ${target}:${talosPort}`
  if (!to) {
    const reason = /^[\d.:]+$/.test(target)
      ? `${dial}: connect: connection refused`
      : `${dial}: lookup ${target}: no such host`
    throw unreachable(`transport: Error while dialing: ${reason}`)
  }
  switch (to.endpoint.state()) {
    case 'secure':
      if (to.machine.config?.ca.talos.crt === from.machine.config?.ca.talos.crt) return to
      throw unreachable(
        'transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority',
      )
    case 'maintenance':
    case 'foreign':
      throw unreachable(
        'transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority',
      )
    case 'wrong-name':
      throw unreachable(
        `transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate is valid for ${to.spec.nodeAddress}, not ${target}`,
      )
    case 'black-hole':
      // grpc-go's MinConnectTimeout in apid's backend.
      await to.pause(20)
      throw unreachable(`transport: Error while dialing: ${dial}: i/o timeout`)
    case 'closed':
      throw unreachable(`transport: Error while dialing: ${dial}: connect: connection refused`)
  }
}

function findMachine(from: SimulatedMachine, target: string): SimulatedMachine | undefined {
  return [...from.fleet.machines.values()].find(({ spec, machine }) =>
    // upgrade-k8s speaks of a machine by the address that its Node has.
    [spec.address, spec.nodeAddress, machine.config?.hostname].includes(target),
  )
}

function unreachable(reason: string): StatusError {
  return new StatusError('Unavailable', `connection error: desc = ${JSON.stringify(reason)}`)
}
