/** What following a secret into pods shows with --dry-run. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { planRotation, planSync } from '../../src/lib/ops/secret-hops.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster = fixture()
const secrets = [
  { namespace: 'shop', name: 'web', target: 'web', seen: '1-a', owner: 'shop', takes: [{ item: 'rotation-test' }] },
]
const input = {
  cluster,
  target: { context: 'apps' },
  secrets,
  limitSec: 600,
  since: '2026-11-30T11:00:00Z',
  token: 'secrets.sync/20261130T110000Z-00ff',
}
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const rotation = {
  ...input,
  vault: 'k8s-apps',
  item: 'rotation-test',
  field: 'password',
  salt: 's',
  digests: { field: '0123456789ab', secrets: { 'shop/web': 'ba9876543210' } },
}

const plans = [planSync(input, 'shop', basis), planRotation(rotation, basis)]

it.each(plans.map((plan) => [plan.operation, plan] as const))('%s', async (name, plan) => {
  const around = { root: '/repo', context: 'apps', server: cluster.endpoint, talosEndpoints: cluster.nodes.map(({ address }) => address) }
  await expect(renderPlan(plan, around, new Chalk({ level: 0 }))).toMatchFileSnapshot(`./plans/${name}.txt`)
})
