/** Whether a machine is ready, and who vouches for it (controllers/runtime/machine_status.go, controllers/secrets/api.go, v1.12.0). */
import type { KeyPair } from './certificates.ts'
import type { MachineStatus } from './events.ts'
import { serviceProblems } from './services.ts'
import type { SimulatedMachine } from './simulated-machine.ts'

/** Who signs a machine's API certificate: its own CA on a control plane, a control plane's running trustd for a worker. */
export function certificateSigner(machine: SimulatedMachine): KeyPair | undefined {
  const { config } = machine.machine
  if (!config) return undefined
  const { crt, key } = config.ca.talos
  if (config.role === 'controlplane') return key === undefined ? undefined : { crt, key }
  for (const other of machine.fleet.machines.values()) {
    const { config: theirs } = other.machine
    const trustd = other.services.get('trustd')?.state === 'Running'
    if (trustd && theirs?.ca.talos.crt === crt && theirs.ca.talos.key !== undefined)
      return { crt, key: theirs.ca.talos.key }
  }
  return undefined
}

/** MachineStatusController's readiness checks; other stages than these two have none, so a machine is `ready` in them. */
export function unmetConditions(machine: SimulatedMachine): MachineStatus['unmetConditions'] {
  const { stage } = machine.record
  if (stage !== 'booting' && stage !== 'running') return []
  const { config } = machine.machine
  const conditions: { name: string; reason: string }[] = []
  if (!machine.timeSynced()) conditions.push({ name: 'time', reason: 'time is not synced' })
  const problems = serviceProblems(machine.services, config?.role === 'controlplane')
  if (problems.length > 0) conditions.push({ name: 'services', reason: problems.join(', ') })
  if (config) {
    const node = machine.fleet.nodes.facts(config.hostname)
    const name = JSON.stringify(config.hostname)
    if (!node) conditions.push({ name: 'nodeReady', reason: `node ${name} status is not available yet` })
    else if (!node.ready) conditions.push({ name: 'nodeReady', reason: `node ${name} is not ready` })
  }
  return conditions
}
