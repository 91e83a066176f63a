/** Reconcile, wait, tree, trace, events: what they make of a cluster's objects. */
import { expect, it } from 'vitest'
import { eventRows } from '../../src/lib/ops/flux-events.ts'
import { liveRows } from '../../src/lib/ops/flux-live.ts'
import { planReconcile, withSources } from '../../src/lib/ops/flux-reconcile.ts'
import { fluxTree, traceUp, treeText } from '../../src/lib/ops/flux-tree.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { fluxViewOf, sha } from './flux-world.ts'
import { cluster } from './gates-world.ts'

const basis = { commit: 'c', digest: 'd', observed: {} }
const fromGit = { sourceRef: { kind: 'GitRepository', name: 'flux-system' } }
const git = fluxViewOf('flux-system', {
  kind: 'GitRepository',
  status: { artifact: { revision: `main@sha1:${sha('b')}` } },
})
const root = fluxViewOf('apps', {
  spec: fromGit,
  status: { inventory: { entries: [{ id: 'flux-system_odoo_kustomize.toolkit.fluxcd.io_Kustomization' }] } },
})
const odoo = fluxViewOf('odoo', {
  owner: 'apps',
  spec: { ...fromGit, dependsOn: [{ name: 'cilium' }, { name: 'gone' }] },
  status: {
    lastAppliedRevision: `main@sha1:${sha('a')}`,
    inventory: { entries: [{ id: 'business_erp_helm.toolkit.fluxcd.io_HelmRelease' }] },
  },
})
const erp = fluxViewOf('erp', {
  kind: 'HelmRelease',
  namespace: 'business',
  owner: 'odoo',
  ready: 'False',
  reason: 'UpgradeFailed',
  message: 'timed out',
  spec: { chartRef: { kind: 'OCIRepository', name: 'erp' } },
})
const chart = fluxViewOf('erp', {
  kind: 'OCIRepository',
  namespace: 'business',
  status: { artifact: { revision: '1.2.0@sha256:00' } },
})
const cilium = fluxViewOf('cilium')
const views = [git, root, odoo, erp, chart, cilium]
const input = {
  cluster: cluster(),
  target: { context: 'apps' },
  token: 't-1',
  scope: 'app/odoo',
  reset: true,
  force: false,
}

it('asks sources first and waits for them, then Kustomizations, then HelmReleases', () => {
  const objects = withSources([odoo, erp], views)
  const plan = planReconcile({ ...input, objects, waitSec: 300 }, basis)
  expect(plan.steps.map(({ id, timeoutSec, verify }) => [id, timeoutSec, verify[0]?.gate])).toEqual([
    ['gitrepository.flux-system.flux-system/reconcile', 120, 'flux-reconciled'],
    ['ocirepository.business.erp/reconcile', 120, 'flux-reconciled'],
    ['kustomization.flux-system.odoo/reconcile', 300, 'flux-reconciled'],
    ['helmrelease.business.erp/reconcile', 300, 'flux-reconciled'],
  ])
  const argv = plan.steps.map(({ action }) => (action.kind === 'exec' ? action.pipeline[0]?.args.join(' ') : ''))
  // Only a HelmRelease knows what to forget.
  expect(argv.map((line) => line?.includes('resetAt=t-1'))).toEqual([false, false, false, true])
  const quick = planReconcile({ ...input, objects: [odoo] }, basis)
  expect(quick.steps[0]?.verify[0]?.gate).toBe('flux-requested')
})

it('refuses what is suspended instead of asking without an answer', () => {
  expect(() => planReconcile({ ...input, objects: [{ ...odoo, suspended: true }] }, basis)).toThrowError(
    expect.objectContaining({ exitCode: 3 }),
  )
})

it('a commit is live where it, or one that contains it, is applied and Ready', () => {
  const rows = liveRows('apps', views, (commit) => (commit === sha('a') ? true : undefined))
  expect(rows.map(({ name, live }) => [name, live])).toEqual([
    ['flux-system/apps', false],
    ['flux-system/odoo', true],
  ])
  const reason = (more: object, has: boolean | undefined) =>
    liveRows('apps', [{ ...odoo, ...more }], () => has)[0]?.waitingFor
  expect(reason({}, false)).toBe('it runs main@aaaaaaa')
  expect(reason({}, undefined)).toContain('git fetch')
  expect(reason({ state: 'failed', message: 'dry-run failed' }, true)).toBe('dry-run failed')
  expect(reason({ suspended: true }, false)).toBe('it is suspended')
})

it('draws what it waits for, what it applies and what that is made from', () => {
  expect(treeText(fluxTree(odoo, views, 3))).toBe(
    [
      'Kustomization flux-system/odoo  ready main@aaaaaaa',
      '├─ waits for Kustomization flux-system/cilium  ready',
      '├─ waits for Kustomization flux-system/gone  is not there',
      '├─ HelmRelease business/erp  failed: timed out',
      '│  └─ from OCIRepository business/erp  ready 1.2.0',
      '└─ from GitRepository flux-system/flux-system  ready main@bbbbbbb',
    ].join('\n'),
  )
  const loop = { ...cilium, dependsOn: ['flux-system/cilium'] }
  expect(treeText(fluxTree(loop, [loop], 9)).split('\n')).toHaveLength(2)
})

it('traces an object up to the source', () => {
  const labels = { 'helm.toolkit.fluxcd.io/name': 'erp', 'helm.toolkit.fluxcd.io/namespace': 'business' }
  expect(traceUp(labels, views).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'HelmRelease business/erp',
    'OCIRepository business/erp',
    'Kustomization flux-system/odoo',
    'GitRepository flux-system/flux-system',
    'Kustomization flux-system/apps',
  ])
  expect(traceUp({}, views)).toEqual([])
})

it("shows Flux' own events, of what was asked for", () => {
  const event = (kind: string, more: object): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      involvedObject: { kind, namespace: 'business', name: 'erp' },
      ...more,
    }) as KubeObject
  const events = [
    event('HelmRelease', {
      type: 'Warning',
      reason: 'UpgradeFailed',
      message: 'no\n',
      lastTimestamp: '2026-11-30T10:59:00Z',
      count: 3,
    }),
    event('HelmRelease', { type: 'Normal', reason: 'info', lastTimestamp: '2026-11-30T10:58:00Z' }),
    event('Pod', { type: 'Warning', lastTimestamp: '2026-11-30T10:59:00Z' }),
    event('HelmRelease', { type: 'Warning', lastTimestamp: '2026-11-29T10:59:00Z' }),
  ]
  const after = Date.parse('2026-11-30T10:00:00Z')
  expect(eventRows('apps', events, { only: undefined, after, warnings: true })).toEqual([
    {
      cluster: 'apps',
      at: '2026-11-30T10:59:00Z',
      type: 'Warning',
      object: 'HelmRelease/business/erp',
      reason: 'UpgradeFailed',
      count: 3,
      message: 'no',
    },
  ])
  expect(eventRows('apps', events, { only: new Set(['HelmRelease/x/y']), after, warnings: false })).toEqual([])
})
