/**
 * Every gate, as data, by what it is about. A gate is a positive fact; what it looks at and what must be true stands in
 * catalog/ and nowhere else. Fixtures for each are in test/fixtures/gates/<id>/.
 */
import { apiGates } from './catalog/api.ts'
import { backupGates } from './catalog/backups.ts'
import { bypassGates } from './catalog/bypasses.ts'
import { cephGates } from './catalog/ceph.ts'
import { cephOsdGates } from './catalog/ceph-osds.ts'
import { connectivityGates } from './catalog/connectivity.ts'
import { databaseGates } from './catalog/databases.ts'
import { drillGates } from './catalog/drills.ts'
import { etcdGates } from './catalog/etcd.ts'
import { holdGates } from './catalog/holds.ts'
import { machineGates } from './catalog/machines.ts'
import { nodeOperationGates } from './catalog/node-operations.ts'
import { nodeGates } from './catalog/nodes.ts'
import { objectGates } from './catalog/objects.ts'
import { platformGates } from './catalog/platform.ts'
import { releaseGates } from './catalog/releases.ts'
import { rolloutGates } from './catalog/rollout.ts'
import { secretHopGates } from './catalog/secret-hops.ts'
import { serviceGates } from './catalog/services.ts'
import { setupGates } from './catalog/setup.ts'
import { storageGates } from './catalog/storage.ts'
import { upgraderGates } from './catalog/upgraders.ts'
import { upgradeGates } from './catalog/upgrades.ts'

export const gates = {
  ...setupGates,
  ...machineGates,
  ...upgradeGates,
  ...etcdGates,
  ...apiGates,
  ...nodeGates,
  ...nodeOperationGates,
  ...objectGates,
  ...storageGates,
  ...backupGates,
  ...databaseGates,
  ...drillGates,
  ...cephGates,
  ...cephOsdGates,
  ...upgraderGates,
  ...releaseGates,
  ...secretHopGates,
  ...serviceGates,
  ...holdGates,
  ...bypassGates,
  ...connectivityGates,
  ...platformGates,
  ...rolloutGates,
}

export type GateId = keyof typeof gates
