/** What a machine does with a config that took effect without a reboot: kubelet and static pods start anew where they changed. */
import type { MachineConfig } from '../types.ts'
import { kubernetesResources } from './kubernetes-resources.ts'
import type { SimulatedMachine } from './simulated-machine.ts'

/** At pace 1: until kubelet is healthy again, and until a static pod's containers run. */
const seconds = { kubelet: 1, staticPod: 1 }

const turns = new WeakMap<SimulatedMachine, Promise<void>>()

/** One change after the other. @param before the config that was in effect */
export function reconfigure(machine: SimulatedMachine, before: MachineConfig): void {
  const after = machine.machine.config
  if (!after || machine.services.get('kubelet')?.state !== 'Running') return
  const signal = machine.gone()
  const turn = (turns.get(machine) ?? Promise.resolve())
    .then(() => (signal.aborted ? undefined : follow(machine, before, after, signal)))
    .catch((error: unknown) => machine.lab.log('talos', `${machine.spec.address}: ${error}`))
  turns.set(machine, turn)
}

async function follow(
  machine: SimulatedMachine,
  before: MachineConfig,
  after: MachineConfig,
  signal: AbortSignal,
): Promise<void> {
  const [kubelet, ...others] = changes(before, after)
  if (kubelet) {
    machine.kernelLog.write('service[kubelet](Stopping): Sending SIGTERM to task kubelet')
    machine.services.hold('kubelet')
    machine.services.set('kubelet', 'Finished')
    machine.changed()
    await machine.pause(seconds.kubelet, signal)
    machine.services.release('kubelet')
    machine.services.set('kubelet', 'Running')
    machine.changed()
  }
  if (others.some(Boolean)) await machine.pause(seconds.staticPod, signal)
  // Also for what needs neither: the Node carries labels of the config.
  if (!signal.aborted) await machine.cluster.configChanged?.(machine.machine)
}

/** Whether kubelet's spec changed, then the same for each static pod and what belongs to it. */
function changes(before: MachineConfig, after: MachineConfig): boolean[] {
  const old = new Map(kubernetesResources(before).map(({ type, id, yaml }) => [`${type}/${id}`, yaml]))
  return kubernetesResources(after).map(({ type, id, yaml }) => old.get(`${type}/${id}`) !== yaml)
}
