/** What holding applications still, and letting them go, shows with --dry-run. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { type HoldableView, isHoldable } from '../../src/lib/ops/flux-choice.ts'
import { planExtend, planRelease, planSuspend } from '../../src/lib/ops/flux-hold.ts'
import type { Plan } from '../../src/lib/types.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { fluxViewOf, noteOf } from '../unit/flux-world.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster = fixture()
const place = { cluster, target: { context: 'apps' } }
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const note = {
  id: 'flux.suspend/20261130T110000Z-00ff',
  owner: 'jane@desk',
  reason: 'memory limit',
  since: '2026-11-30T11:00:00Z',
  until: '2026-11-30T13:00:00Z',
  scope: 'app/odoo',
}
const views = (suspend: boolean, until?: string): HoldableView[] =>
  [
    fluxViewOf('odoo', { suspend, by: { manager: 'kustomize-controller', operation: 'Apply' } }),
    fluxViewOf('odoo', { kind: 'HelmRelease', namespace: 'business', suspend, owner: 'odoo' }),
  ]
    .map((view) => (suspend ? { ...view, hold: fluxViewOf('x', { annotations: noteOf(until ? { until } : {}) }).hold } : view))
    .filter(isHoldable)

const plans: [string, () => Plan][] = [
  ['flux.suspend', () => planSuspend({ ...place, note, objects: views(false), expired: views(true).map((view) => ({ ...view, name: 'web' })), force: false }, 'app', basis)],
  ['flux.resume', () => planRelease({ ...place, operation: 'flux.resume', objects: views(true), expired: [], scope: 'app/odoo', waitSec: 300 }, basis)],
  ['holds.extend', () => planExtend({ ...place, objects: views(true), until: '2026-11-30T15:00:00Z', scope: 'app/odoo' }, basis)],
  ['holds.expire', () => planRelease({ ...place, operation: 'holds.expire', objects: [], expired: views(true), scope: 'holds' }, basis)],
]

it.each(plans)('%s', async (name, make) => {
  const around = { root: '/repo', context: 'apps', server: cluster.endpoint, talosEndpoints: cluster.nodes.map(({ address }) => address) }
  await expect(renderPlan(make(), around, new Chalk({ level: 0 }))).toMatchFileSnapshot(`./plans/${name}.txt`)
})
