/** Every probe by name. */
import type { KubePort, TalosPort } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import type { ProbeName } from '../types.ts'
import { apiProbes } from './api.ts'
import { etcdProbes } from './etcd.ts'
import { machineProbes } from './machines.ts'
import { releaseProbes } from './releases.ts'
import { setupProbes } from './setup.ts'

export function createProbes(ports: GatePorts, kube: KubePort, talos: TalosPort): Record<ProbeName, Probe> {
  return {
    ...setupProbes(ports),
    ...machineProbes(ports, talos),
    ...etcdProbes(talos),
    ...apiProbes(ports, kube),
    ...releaseProbes(kube),
  }
}
