/** The composition root's part for gates. What only probes look through is loaded with the first of them. */
import type { Ports } from './gate-ports.ts'
import type { OpenedCluster } from './lib/cli/services.ts'
import type { GateReader } from './lib/engine/ports.ts'
import { createGatePort } from './lib/gates/evaluate.ts'

/** The gates of one cluster, looking at its live state. */
export function createGates(opened: OpenedCluster, ports: Ports): GateReader {
  const load = async () => {
    const [{ createGatePorts }, { createProbes }] = await Promise.all([
      import('./gate-ports.ts'),
      import('./lib/gates/probes/index.ts'),
    ])
    const own = createGatePorts(opened, ports)
    return (kube: Ports['kube'], talos: Ports['talos']) => createProbes(own, kube, talos)
  }
  let loading: ReturnType<typeof load> | undefined
  return createGatePort({
    ...ports,
    probes: async (kube, talos) => {
      loading ??= load()
      return (await loading)(kube, talos)
    },
    timeScale: opened.target.timeScale,
  })
}
