/** What saving a volume or a database, and bringing a volume back, shows with --dry-run. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { type HoldableView, isHoldable } from '../../src/lib/ops/flux-choice.ts'
import { planSwitchover } from '../../src/lib/ops/cnpg-switchover.ts'
import { planBackup } from '../../src/lib/ops/cnpg.ts'
import { planDatabaseAbort, planDatabaseRestore } from '../../src/lib/ops/cnpg-restore.ts'
import { planSettle } from '../../src/lib/ops/cnpg-settle.ts'
import { planDrills } from '../../src/lib/ops/drill.ts'
import { planCopy } from '../../src/lib/ops/volsync-copy.ts'
import { planAbort, planRestore } from '../../src/lib/ops/volsync-restore.ts'
import { planSync } from '../../src/lib/ops/volsync-sync.ts'
import type { Plan } from '../../src/lib/types.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { fluxViewOf, noteOf } from '../unit/flux-world.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster = fixture()
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const token = 'volsync.restore/20261130T110000Z-00ff'
const note = {
  id: token,
  owner: 'jane@desk',
  reason: 'restore of business/odoo: bad import',
  since: '2026-11-30T11:00:00Z',
  until: '2026-12-01T11:00:00Z',
  scope: 'app/odoo',
}
const source = { namespace: 'business', name: 'odoo', claim: 'odoo', schedule: '15 */8 * * *', repository: 'odoo-volsync', owner: 'flux-system/odoo' }
const place = { cluster, target: { context: 'apps' }, source, limits: { restoreSec: 14_400, podsSec: 900 } }
const views = (suspended: boolean): HoldableView[] =>
  [fluxViewOf('odoo', suspended ? { suspend: true, annotations: noteOf({ id: token }) } : {})].filter(isHoldable)
const workloads = [{ kind: 'Deployment' as const, namespace: 'business', name: 'odoo', replicas: 2 }]
const parked = workloads.map((workload) => ({ by: token, workload }))
const choice = { at: '2026-11-30T06:00:00Z', previous: 1 }
const sync = { ...place, token: 'volsync.unlock/20261130T110000Z-00ff', unlock: true, limitSec: 7200 }

const database = { namespace: 'databases', name: 'postgres' }
const backup = { ...place, database, schedule: 'postgres', name: 'postgres-k8sops-20261130110000', limitSec: 7200 }

const recovery = { token: 'cnpg.restore/20261130T110000Z-00ff', from: 'postgres', archive: 'postgres-20261130t110000z', at: '2026-11-30T06:00:00Z' }
const recovered = { ...place, database, schedule: 'postgres', expectSec: 3600, limits: { recoverySec: 14_400, podsSec: 900 }, recovery }
const databaseNote = { ...note, id: recovery.token, scope: 'database/postgres', reason: 'restore of databases/postgres: bad migration' }
const clients = { objects: views(false), clients: workloads, note: databaseNote }

const drill = { ...place, token: 'backup.verify/20261130T110000Z-00ff', at: '2026-11-30T11:00:00Z', limits: { restoreSec: 14_400, readySec: 900 }, strays: ['drill-business-n8n'] }

const plans: [string, () => Plan][] = [
  ['volsync.restore', () => planRestore({ ...place, choice, note, objects: views(false), workloads, expectSec: 1800, force: false }, basis)],
  ['volsync.abort', () => planAbort({ ...place, writing: true, parked, held: views(true) }, basis)],
  ['volsync.copy', () => planCopy({ ...place, to: 'drill', choice, token, expectSec: 1800, limitSec: 14_400 }, basis)],
  ['cnpg.backup', () => planBackup(backup, basis)],
  ['cnpg.switchover', () => planSwitchover({ ...place, database, change: { from: 'postgres-1', to: 'postgres-2' }, at: '2026-11-30T11:00:00.000Z', limitSec: 900 }, basis)],
  ['cnpg.restore', () => planDatabaseRestore({ ...recovered, ...clients, save: true, force: false }, basis)],
  ['cnpg.abort', () => planDatabaseAbort({ ...recovered, state: 'gone', parked, held: views(true) }, basis)],
  ['cnpg.settle', () => planSettle({ ...place, database, archive: recovery.archive, limitSec: 60 }, basis)],
  ['backup.verify', () => planDrills({ ...drill, drills: [{ source, workload: workloads[0]!, size: '20Gi', check: 'test -d /data', newest: { snapshot: '3f9c1a2b', bytes: 4096 } }] }, basis)],
  ['volsync.unlock', () => planSync(sync, basis)],
]

it.each(plans)('%s', async (name, make) => {
  const talosEndpoints = cluster.nodes.map(({ address }) => address)
  const around = { root: '/repo', context: 'apps', server: cluster.endpoint, talosEndpoints }
  await expect(renderPlan(make(), around, new Chalk({ level: 0 }))).toMatchFileSnapshot(`./plans/${name}.txt`)
})
