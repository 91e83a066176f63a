/** The parts that a supervisor runs. Each is imported when it is started, so that a part which fails is named. */
import type { Cluster } from './control-plane/index.ts'
import type { StartedMachine } from './talos/machine.ts'
import type { Lab, Part } from './types.ts'

export interface StartedParts {
  parts: Part[]
  machines: StartedMachine[]
}

/**
 * Starts everything. What works on the cluster waits for its API by itself (Lab.onApiUp).
 * @throws Error of the first part that can't start
 */
export async function startParts(lab: Lab, cluster: Cluster): Promise<StartedParts> {
  // First: it makes the CA that every command of the lab trusts.
  const registry = await import('./registry/index.ts').then((module) => module.startRegistry(lab))
  const { startMachine } = await import('./talos/machine.ts')
  const machines = await Promise.all(lab.spec.machines.map((spec) => startMachine(lab, spec, cluster)))
  const others = await Promise.all([
    import('./nodes/csr-approver.ts').then((module) => module.startCsrApprover(lab)),
    import('./operators/index.ts').then((module) => module.startOperators(lab)),
    import('./sources/index.ts').then((module) => module.startSources(lab)),
    import('./flux/index.ts').then((module) => module.startFluxControllers(lab)),
  ])
  return { parts: [registry, cluster, ...others], machines }
}
