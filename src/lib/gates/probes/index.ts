/** Every probe by name. */
import type { KubePort, TalosPort } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import type { ProbeName } from '../types.ts'
import { alertProbes } from './alerts.ts'
import { apiProbes } from './api.ts'
import { backupProbes } from './backups.ts'
import { cephProbes } from './ceph.ts'
import { connectivityProbes } from './connectivity.ts'
import { databaseProbes } from './databases.ts'
import { disruptionProbes } from './disruption.ts'
import { drillProbes } from './drills.ts'
import { etcdProbes } from './etcd.ts'
import { etcdHealthProbes } from './etcd-health.ts'
import { etcdSnapshotProbes } from './etcd-snapshot.ts'
import { identityProbes } from './identity.ts'
import { inventoryProbes } from './inventory.ts'
import { kubernetesProbes } from './kubernetes.ts'
import { machineProbes } from './machines.ts'
import { nodeOperationProbes } from './node-operations.ts'
import { releaseProbes } from './releases.ts'
import { rolloutProbes } from './rollout.ts'
import { secretHopProbes } from './secret-hops.ts'
import { setupProbes } from './setup.ts'
import { upgradeProbes } from './upgrades.ts'
import { windowProbes } from './window.ts'

export function createProbes(ports: GatePorts, kube: KubePort, talos: TalosPort): Record<ProbeName, Probe> {
  return {
    ...setupProbes(ports),
    ...machineProbes(ports, talos),
    ...inventoryProbes(ports, kube, talos),
    ...upgradeProbes(ports, talos),
    ...etcdProbes(ports, talos),
    ...etcdHealthProbes(talos),
    ...etcdSnapshotProbes(ports),
    ...apiProbes(ports, kube),
    ...backupProbes(ports, kube),
    ...cephProbes(ports, kube, talos),
    ...connectivityProbes(ports, kube),
    ...databaseProbes(ports, kube),
    ...drillProbes(ports, kube),
    ...disruptionProbes(kube),
    ...identityProbes(ports, talos),
    ...kubernetesProbes(kube),
    ...nodeOperationProbes(ports, talos),
    ...releaseProbes(kube),
    ...windowProbes(ports),
    ...alertProbes(ports),
    ...rolloutProbes(ports, kube),
    ...secretHopProbes(ports, kube),
  }
}
