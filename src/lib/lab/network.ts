/** Whether the network to a machine works, for every part that would notice: its own API, the API server's door, kubelet, etcd. */
import type { ActiveFault, Lab } from './types.ts'

/** Machines whose last boot found no network, by lab. */
const withoutNetwork = new WeakMap<Lab, Set<string>>()

/** Called at each boot: `boots-without-network` takes effect then, and lasts until the fault is cleared or a boot without it. */
export function networkAtBoot(lab: Lab, address: string): void {
  const machines = withoutNetwork.get(lab) ?? new Set()
  withoutNetwork.set(lab, machines)
  if (lab.faults.active('boots-without-network', address)) machines.add(address)
  else machines.delete(address)
}

/** The fault that cuts this machine off now, if any. */
export function cutOff(lab: Lab, address: string): ActiveFault | undefined {
  const unreachable = lab.faults.active('node-unreachable', address)
  if (unreachable || !withoutNetwork.get(lab)?.has(address)) return unreachable
  return lab.faults.active('boots-without-network', address)
}
