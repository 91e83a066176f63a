/** What putting OSDs to rest and waking them, removing one and adding some shows with --dry-run. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { planRest, planWake, type RestView, wakeSteps } from '../../src/lib/ops/ceph-maintenance.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { cephPlans } from '../unit/ceph-world.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster = fixture()
const place = { cluster, target: { context: 'apps' }, node: 'apps-w1' }
const at = { namespace: 'rook-ceph', host: 'apps-w1', osds: ['rook-ceph-osd-3'] }
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const now = Date.parse('2026-11-30T11:00:00Z')
const note = {
  id: 'ceph.maintenance/20261130T110000Z-00ff',
  owner: 'jane@desk',
  reason: 'new SSD',
  since: '2026-11-30T11:00:00Z',
  until: '2026-11-30T11:30:00Z',
  scope: 'ceph/apps-w1',
}
const rest = { ...place, at, note, by: 'ceph.maintenance/jane@desk', evictTimeoutSec: 300 }
const resting = (node: string, owner = 'jane@desk'): RestView => ({
  node,
  resourceVersion: '4711',
  hold: { ...note, owner, detached: false },
})

const plans = [
  planRest({ ...rest, resting: [] }, now, basis),
  planWake({ ...place, at, view: resting('apps-w1'), settleTimeoutSec: 1800 }, basis),
  ...cephPlans(),
]

it.each(plans.map((plan) => [plan.operation, plan] as const))('%s', async (name, plan) => {
  const around = { root: '/repo', context: 'apps', server: cluster.endpoint, talosEndpoints: cluster.nodes.map(({ address }) => address) }
  await expect(renderPlan(plan, around, new Chalk({ level: 0 }))).toMatchFileSnapshot(`./plans/${name}.txt`)
})

it('one host rests at a time, and only its owner lets it rest longer', () => {
  const plan = (others: RestView[]) => () => planRest({ ...rest, resting: others }, now, basis)
  expect(plan([resting('apps-w2')])).toThrowError(expect.objectContaining({ exitCode: 3 }))
  expect(plan([resting('apps-w1', 'joe@desk')])).toThrowError(/at rest already/)
  const [longer] = plan([resting('apps-w1')])().steps
  expect(longer?.require).toBeUndefined()
})

it('an expired rest ends by its own note only', () => {
  const [step] = wakeSteps(place, [resting('apps-w1')], 'expired')
  expect(step).toMatchObject({ id: 'apps-w1/expire', verify: [{ gate: 'ceph-rest-ended', params: { hold: note.id } }] })
})
