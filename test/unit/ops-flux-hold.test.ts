/** What is suspended and resumed, by whom and how much of it. */

import { expect, it } from 'vitest'
import { expiredHolds, meantObjects } from '../../src/commands/flux/holding.ts'
import { chosenApps, dependentsOf, type HoldableView, isHoldable } from '../../src/lib/ops/flux-choice.ts'
import { planRelease, planSuspend, toSuspend } from '../../src/lib/ops/flux-hold.ts'
import type { FluxView } from '../../src/lib/ops/flux-view.ts'
import { heldObjects, openHolds } from '../../src/lib/ops/holds.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { fc } from '../helpers/seeded-check.ts'
import { fluxViewOf, noteOf } from './flux-world.ts'
import { cluster } from './gates-world.ts'

const now = Date.parse('2026-11-30T11:00:00Z')
const basis = { commit: 'c', digest: 'd', observed: {} }
const place = { cluster: cluster(), target: { context: 'apps' } }
const note = {
  id: 'flux.suspend/20261130T110000Z-00ff',
  owner: 'jane@desk',
  reason: 'storage',
  since: '2026-11-30T11:00:00Z',
  until: '2026-11-30T12:00:00Z',
  scope: 'app/odoo',
}
const odoo = fluxViewOf('odoo', {
  owner: 'apps',
  status: { inventory: { entries: [{ id: 'business_erp_helm.toolkit.fluxcd.io_HelmRelease' }] } },
})
const erp = fluxViewOf('erp', { kind: 'HelmRelease', namespace: 'business', owner: 'odoo' })
const all = [
  odoo,
  erp,
  fluxViewOf('apps'),
  fluxViewOf('web', { owner: 'apps', spec: { dependsOn: [{ name: 'odoo' }] } }),
]
const argvOf = (plan: ReturnType<typeof planSuspend>) =>
  plan.steps.map(({ action }) => (action.kind === 'exec' ? action.pipeline[0]?.args.join(' ') : ''))
const only = (views: FluxView[]) => views.filter(isHoldable)

it('finds an application by inventory, by label, or as a HelmRelease of its own', () => {
  expect(chosenApps(all, ['odoo'])[0]?.objects).toEqual([odoo, erp])
  expect(chosenApps([{ ...odoo, applied: [] }, erp], ['odoo'])[0]?.objects).toHaveLength(2)
  expect(chosenApps(all, ['erp'])[0]?.objects).toEqual([erp])
  expect(() => chosenApps(all, ['odo'])).toThrowError(expect.objectContaining({ exitCode: 2 }))
  const twice = [erp, { ...erp, namespace: 'other' }]
  expect(() => chosenApps(twice, ['erp'])).toThrowError(
    /ambiguous: HelmRelease\/business\/erp, HelmRelease\/other\/erp/,
  )
  expect(chosenApps(twice, ['other/erp'])[0]?.objects).toHaveLength(1)
})

it('names what would wait for it', () => {
  expect(dependentsOf([odoo], all).map(({ name }) => name)).toEqual(['web'])
})

it('suspends the Kustomization before its HelmReleases, in one request with the note', () => {
  const plan = planSuspend({ ...place, note, objects: only([erp, odoo]), expired: [], force: false }, 'app', basis)
  expect(plan.steps.map(({ id }) => id)).toEqual([
    'kustomization.flux-system.odoo/suspend',
    'helmrelease.business.erp/suspend',
  ])
  expect(plan.scope).toBe('app/odoo')
  // kustomize-controller removes what managers named kubectl* have set.
  for (const argv of argvOf(plan)) expect(argv).toContain('--field-manager k8sops')
  expect(argvOf(plan)[0]).toContain('"k8sops.dev/hold-owner":"jane@desk"')
  expect(argvOf(plan)[0]).toContain('"spec":{"suspend":true}')
})

it('takes an object from its Kustomization where Git says that it runs, and gives it back', () => {
  const set = fluxViewOf('odoo', { suspend: false, by: { manager: 'kustomize-controller', operation: 'Apply' } })
  const plan = planSuspend({ ...place, note, objects: only([set]), expired: [], force: false }, 'app', basis)
  expect(argvOf(plan)[0]).toContain('"kustomize.toolkit.fluxcd.io/reconcile":"disabled"')
  expect(plan.steps[0]?.verify.map(({ gate }) => gate)).toEqual(['flux-held', 'flux-detached'])
  const held = fluxViewOf('odoo', { suspend: true, annotations: { ...noteOf({}), 'k8sops.dev/hold-detached': 'true' } })
  const back = planRelease(
    { ...place, operation: 'flux.resume', objects: only([held]), expired: [], scope: 'app/odoo' },
    basis,
  )
  expect(argvOf(back)[0]).toContain('"kustomize.toolkit.fluxcd.io/reconcile":null')
})

it('leaves what Git suspends to Git', () => {
  const set = fluxViewOf('off', { suspend: true, by: { manager: 'kustomize-controller', operation: 'Apply' } })
  expect(toSuspend(only([set]), 'app')).toEqual([])
})

it('refuses what somebody else holds, and takes it over by force', () => {
  const held = fluxViewOf('odoo', { suspend: true, annotations: noteOf({ owner: 'bob@desk' }) })
  const input = { ...place, note, objects: only([held]), expired: [], force: false }
  expect(() => planSuspend(input, 'app', basis)).toThrowError(expect.objectContaining({ exitCode: 3 }))
  expect(planSuspend({ ...input, force: true }, 'app', basis).steps).toHaveLength(1)
})

it('a larger scope holds exactly what runs, whatever the mixture', () => {
  const arbitrary = fc.array(
    fc.record({ suspend: fc.boolean(), noted: fc.boolean(), git: fc.boolean(), release: fc.boolean() }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(arbitrary, (mixture) => {
      const views = only(
        mixture.map(({ suspend, noted, git, release }, index) =>
          fluxViewOf(`k${index}`, {
            kind: release ? 'HelmRelease' : 'Kustomization',
            suspend,
            ...(suspend && noted ? { annotations: noteOf({ id: `other-${index}` }) } : {}),
            by: git
              ? { manager: 'kustomize-controller', operation: 'Apply' }
              : { manager: 'flux', operation: 'Update' },
          }),
        ),
      )
      const chosen = toSuspend(views, 'cluster')
      expect(chosen).toEqual(views.filter(({ suspended }) => !suspended))
      const input = { ...place, note: { ...note, scope: 'cluster' }, objects: views, expired: [], force: false }
      const named = argvOf(planSuspend(input, 'cluster', basis)).join(' ')
      for (const { name, suspended } of views) expect(named.split(' ').includes(name)).toBe(!suspended)
    }),
  )
})

it('splits what no command line would hold', () => {
  const many = only(Array.from({ length: 250 }, (_, index) => fluxViewOf(`k${index}`)))
  const plan = planSuspend({ ...place, note, objects: many, expired: [], force: false }, 'cluster', basis)
  expect(plan.steps.map(({ id }) => id)).toEqual([1, 2, 3].map((part) => `kustomization.flux-system.${part}/suspend`))
})

it('resumes HelmReleases first, by the id that was seen, and accepts that one is gone', () => {
  const held = only([odoo, erp].map((view): FluxView => ({ ...view, suspended: true, hold: holdFor('app/odoo') })))
  const plan = planRelease(
    { ...place, operation: 'flux.resume', objects: held, expired: [], scope: 'app/odoo', waitSec: 60 },
    basis,
  )
  expect(plan.steps.map(({ id }) => id)).toEqual([
    'helmrelease.business.erp/resume-3f9c',
    'kustomization.flux-system.odoo/resume-3f9c',
    'kustomization.flux-system.odoo/ready',
    'helmrelease.business.erp/ready',
  ])
  expect(plan.steps[0]?.action).toMatchObject({ accept: ['\\(NotFound\\)'] })
})

const holdFor = (scope: string, until = '2026-11-30T12:00:00Z', id = 'flux.suspend/20261130T100000Z-3f9c') =>
  fluxViewOf('x', { annotations: noteOf({ id, scope, until }) }).hold

const past = '2026-11-30T10:30:00Z'
const view = (name: string, scope: string, until?: string, namespace = 'business'): HoldableView => ({
  ...(erp as HoldableView),
  name,
  namespace,
  suspended: true,
  hold: holdFor(scope, until, `id-${scope}`),
})

it('ends what has expired, but nothing in the middle of a larger hold', () => {
  const app = view('a', 'app/a', past)
  expect(expiredHolds([app, view('b', 'app/b')], now)).toEqual([app])
  expect(expiredHolds([app, view('b', 'cluster')], now)).toEqual([])
  expect(expiredHolds([app, view('b', 'namespace/business')], now)).toEqual([])
  expect(expiredHolds([app, view('b', 'namespace/other', undefined, 'other')], now)).toEqual([app])
  const whole = view('c', 'cluster', past)
  expect(expiredHolds([app, whole], now)).toEqual([app, whole])
  // A note that somebody damaged holds nothing for ever.
  expect(expiredHolds([view('d', 'app/d', 'tomorrow')], now)).toHaveLength(1)
})

it('a namespace is what is there and what makes nothing else', () => {
  const both = fluxViewOf('both')
  const views = [
    odoo,
    erp,
    both,
    { ...erp, name: 'x', owner: 'flux-system/both' },
    { ...erp, name: 'y', namespace: 'other', owner: 'flux-system/both' },
  ]
  expect(meantObjects(views, ['business'], 'namespace').objects.map(({ name }) => name)).toEqual(['odoo', 'erp', 'x'])
  expect(() => meantObjects(views, ['nothing'], 'namespace')).toThrowError(/nothing in namespace/)
  expect(() => meantObjects(views, ['odoo'], 'cluster')).toThrowError(/takes no names/)
  expect(() => meantObjects(views, [], 'app')).toThrowError(expect.objectContaining({ exitCode: 2 }))
})

it('lists everything that is held open, owned or not', () => {
  const node = (name: string, unschedulable: boolean, annotations = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations },
    spec: { unschedulable },
  })
  const bypassed: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: 'business',
      labels: { 'k8sops.dev/netpol-bypass': 'true' },
      annotations: noteOf({ scope: 'policy/business', until: past }),
    },
  }
  const holds = openHolds(
    {
      flux: [
        view('a', 'app/a'),
        view('b', 'app/a'),
        fluxViewOf('loose', { suspend: true, by: { manager: 'flux', operation: 'Update' } }),
      ],
      nodes: [
        node('apps-w1', true, { 'k8sops.dev/cordoned-by': 'node.cordon/jane@desk' }),
        node('apps-w2', false),
        node('apps-w3', true, noteOf({ scope: 'ceph/apps-w3', until: past })),
      ],
      rollout: [],
      namespaces: [bypassed, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'quiet' } }],
    },
    now,
  )
  expect(holds.map(({ name, owner, objects, expired }) => [name, owner, objects.length, expired])).toEqual([
    ['app/a', 'jane@desk', 2, false],
    ['Kustomization/flux-system/loose', null, 1, false],
    ['node/apps-w1', 'node.cordon/jane@desk', 1, false],
    ['ceph/apps-w3', 'jane@desk', 1, true],
    ['policy/business', 'jane@desk', 1, true],
  ])
})

it('finds a hold by its name, its id or the end of it', () => {
  const views = [view('a', 'app/a'), view('b', 'cluster')]
  for (const name of ['a', 'app/a', 'id-app/a']) expect(heldObjects(views, [name])).toEqual([views[0]])
  expect(() => heldObjects(views, ['b'])).toThrowError(/no hold b/)
})
