/** What bypassing network policies, and restoring them, shows with --dry-run. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { type BypassView, extendBypassSteps, planBypass, planRestore } from '../../src/lib/ops/netpol-bypass.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster = fixture()
const place = { cluster, target: { context: 'apps' } }
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const now = Date.parse('2026-11-30T11:00:00Z')
const note = {
  id: 'netpol.bypass/20261130T110000Z-00ff',
  owner: 'jane@desk',
  reason: 'odoo times out',
  since: '2026-11-30T11:00:00Z',
  until: '2026-11-30T11:30:00Z',
  scope: 'policy/business',
}
const held = (namespace: string, until: string, owner = 'jane@desk'): BypassView => ({
  namespace,
  hold: { ...note, owner, until, detached: false },
})
const bypassed = [held('harbor', '2026-11-30T10:00:00Z')]
const namespaces = ['business', 'harbor', 'kube-system']

const plans = [
  planBypass({ ...place, note, namespace: 'business', namespaces, bypassed, force: false }, now, basis),
  planRestore({ ...place, namespaces: ['business'], bypassed: [held('business', note.until), ...bypassed] }, now, basis),
]

it.each(plans.map((plan) => [plan.operation, plan] as const))('%s', async (name, plan) => {
  const around = { root: '/repo', context: 'apps', server: cluster.endpoint, talosEndpoints: cluster.nodes.map(({ address }) => address) }
  await expect(renderPlan(plan, around, new Chalk({ level: 0 }))).toMatchFileSnapshot(`./plans/${name}.txt`)
})

it('opens nothing that is not there, never closed, or bypassed by somebody else', () => {
  const plan = (namespace: string, others: BypassView[], force = false) => () =>
    planBypass({ ...place, note, namespace, namespaces, bypassed: others, force }, now, basis)
  expect(plan('shop', [])).toThrowError(/has no namespace shop/)
  expect(plan('kube-system', [])).toThrowError(/nothing to bypass/)
  const theirs = [held('business', '2026-11-30T12:00:00Z', 'joe@desk')]
  expect(plan('business', theirs)).toThrowError(expect.objectContaining({ exitCode: 3 }))
  expect(plan('business', [{ namespace: 'business', hold: null }])).toThrowError(/somebody else bypasses this/)
  expect(plan('business', theirs, true)().steps).toHaveLength(1)
})

it('extends note and label together', () => {
  const [step] = extendBypassSteps(place, [held('business', note.until)], '2026-11-30T12:00:00Z')
  const args = step?.action.kind === 'exec' ? step.action.pipeline[0]?.args.at(-1) : ''
  expect(args).toBe(
    '{"metadata":{"labels":{"k8sops.dev/netpol-bypass":"1796040000"},"annotations":{"k8sops.dev/hold-until":"2026-11-30T12:00:00Z"}}}',
  )
})
