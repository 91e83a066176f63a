import { expect, it } from 'vitest'
import { isUnwell, revisionText, type StatusFilter, statusRows } from '../../src/lib/ops/flux-status.ts'
import { fluxView, reducedFluxObject, shortRevision } from '../../src/lib/ops/flux-view.ts'
import { type FluxFacts, fluxObject, fluxViewOf, noteOf, sha } from './flux-world.ts'

const now = Date.parse('2026-11-30T11:00:00Z')
const everything: StatusFilter = { apps: [], failed: false, suspended: false, stale: false }
const git = { ref: 'origin/main', distances: new Map([[sha('a'), { behind: 2, ahead: 0 }]]) }
const source = fluxViewOf('flux-system', {
  kind: 'GitRepository',
  status: { artifact: { revision: `main@sha1:${sha('b')}`, lastUpdateTime: '2026-11-30T10:30:00Z' } },
})
const fromSource = { sourceRef: { kind: 'GitRepository', name: 'flux-system' } }
const rowsOf = (views: ReturnType<typeof fluxViewOf>[], filter: Partial<StatusFilter> = {}) =>
  statusRows([{ cluster: 'apps', follows: 'main', views, git }], { ...everything, ...filter }, now)
const stateOf = (facts: FluxFacts) => fluxViewOf('x', facts).state

it('tells what failed from what waits and from what nobody has looked at yet', () => {
  expect(stateOf({})).toBe('ready')
  expect(stateOf({ ready: 'False', reason: 'BuildFailed' })).toBe('failed')
  expect(stateOf({ ready: 'False', reason: 'DependencyNotReady' })).toBe('waiting')
  expect(stateOf({ ready: 'Unknown', reason: 'Progressing' })).toBe('progressing')
  // Ready=True of an older sync is no answer to a new spec.
  expect(stateOf({ generation: 3, observedGeneration: 2 })).toBe('progressing')
  // A suspended one is not looked at: its generation moved by the suspension itself.
  expect(stateOf({ generation: 3, observedGeneration: 2, suspend: true })).toBe('ready')
  expect(stateOf({ status: { conditions: [] } })).toBe('progressing')
})

it('says how far a revision is from git, and that a source has had a newer one for long', () => {
  const old = fluxViewOf('odoo', { spec: fromSource, status: { lastAppliedRevision: `main@sha1:${sha('a')}` } })
  const [row] = rowsOf([old, source], { stale: true })
  expect(row).toMatchObject({ name: 'odoo', behind: 2, ahead: 0 })
  expect(row?.stale).toContain('main@bbbbbbb')
  expect(revisionText(row ?? {})).toBe('main@aaaaaaa (2 behind)')
  const suspended = fluxViewOf('odoo', {
    suspend: true,
    spec: fromSource,
    status: { lastAppliedRevision: `main@sha1:${sha('a')}` },
  })
  expect(rowsOf([suspended, source], { stale: true })).toEqual([])
})

it('calls a Kustomization stale whose source is gone or held', () => {
  const one = fluxViewOf('odoo', { spec: fromSource })
  expect(rowsOf([one], { stale: true })[0]?.stale).toBe('GitRepository flux-system/flux-system is not there')
  expect(rowsOf([one, { ...source, suspended: true }], { stale: true })[0]?.stale).toBe('its source is suspended')
})

it('tells who holds what, also where nobody left a note', () => {
  const held = fluxViewOf('odoo', { suspend: true, annotations: noteOf({}) })
  const expired = fluxViewOf('web', { suspend: true, annotations: noteOf({ until: '2026-11-30T10:30:00Z' }) })
  const unowned = fluxViewOf('old', {
    suspend: true,
    by: { manager: 'flux', operation: 'Update', time: '2026-11-01T08:00:00Z' },
  })
  const inGit = fluxViewOf('off', { suspend: true, by: { manager: 'kustomize-controller', operation: 'Apply' } })
  expect(rowsOf([held, expired, unowned, inGit], { suspended: true }).map(({ heldBy }) => heldBy)).toEqual([
    'jane@desk until 12:00Z: memory limit',
    'jane@desk, expired: memory limit',
    'unowned (flux since 2026-11-01T08:00Z)',
    'Git',
  ])
})

it('counts failed and waiting ones as unwell, but not those that are held', () => {
  const facts: FluxFacts[] = [
    {},
    { ready: 'False' },
    { ready: 'False', reason: 'DependencyNotReady' },
    { ready: 'False', suspend: true },
  ]
  const rows = rowsOf(facts.map((one, index) => fluxViewOf(`k${index}`, one)))
  expect(rows.filter(isUnwell).map(({ name }) => name)).toEqual(['k1', 'k2'])
  expect(
    rowsOf(
      facts.map((one, index) => fluxViewOf(`k${index}`, one)),
      { failed: true },
    ),
  ).toHaveLength(2)
})

it('shows of an application its Kustomization, its HelmReleases and their sources, whatever their names', () => {
  const app = fluxViewOf('odoo', {
    status: { inventory: { entries: [{ id: 'business_erp_helm.toolkit.fluxcd.io_HelmRelease', v: 'v2' }] } },
  })
  const release = fluxViewOf('erp', {
    kind: 'HelmRelease',
    namespace: 'business',
    spec: { chartRef: { kind: 'OCIRepository', name: 'erp-chart' } },
  })
  const chart = fluxViewOf('erp-chart', { kind: 'OCIRepository', namespace: 'business' })
  const rows = rowsOf([app, release, chart, fluxViewOf('other')], { apps: ['odoo'] })
  expect(rows.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'Kustomization odoo',
    'HelmRelease erp',
    'OCIRepository erp-chart',
  ])
})

it('tells what helm-controller did about a failure, and what it has left (FR40)', () => {
  const release = (spec: object, status: object) =>
    fluxViewOf('erp', { kind: 'HelmRelease', spec: { ...spec }, status: { conditions: [], ...status } }).remediation
  const upgrade = { upgrade: { remediation: { retries: 3 } } }
  expect(release(upgrade, { upgradeFailures: 2 })).toBe('upgrade failed 2 x of 4')
  expect(release({ install: { strategy: { name: 'RetryOnFailure' } } }, { installFailures: 7 })).toBe(
    'install failed 7 x, is retried',
  )
  const rolledBack = {
    upgradeFailures: 4,
    history: [
      { version: 3, status: 'deployed', chartVersion: '1.2.0' },
      { version: 2, status: 'failed', chartVersion: '1.3.0' },
    ],
    conditions: [
      { type: 'Remediated', status: 'True', reason: 'RollbackSucceeded' },
      { type: 'Stalled', status: 'True', reason: 'RetriesExceeded' },
    ],
  }
  expect(release(upgrade, rolledBack)).toBe('rolled back to 1.2.0, upgrade failed 4 x of 4, given up (RetriesExceeded)')
  expect(release(upgrade, { history: [{ status: 'deployed' }] })).toBeNull()
})

it('keeps of an object only what is shown of it: the view is the same', () => {
  const object = fluxObject('odoo', {
    suspend: true,
    by: { manager: 'flux', operation: 'Update', time: '2026-11-01T08:00:00Z' },
    spec: { values: { a: 1 }, patches: [{}], dependsOn: [{ name: 'cilium' }] },
    status: {
      inventory: { entries: [{ id: '_ns__Namespace' }, { id: 'a_b_helm.toolkit.fluxcd.io_HelmRelease' }] },
      history: [{ chartVersion: '1' }, { chartVersion: '2' }, { chartVersion: '3' }],
    },
  })
  const reduced = reducedFluxObject(object)
  expect(fluxView(reduced)).toEqual(fluxView(object))
  expect(JSON.stringify(reduced).length).toBeLessThan(JSON.stringify(object).length)
})

it('shortens revisions as people write them', () => {
  expect(shortRevision(`main@sha1:${sha('a')}`)).toBe('main@aaaaaaa')
  expect(shortRevision(`sha1:${sha('a')}`)).toBe('aaaaaaa')
  expect(shortRevision('1.18.3@sha256:00ff')).toBe('1.18.3')
  expect(shortRevision('1.18.3')).toBe('1.18.3')
  expect(shortRevision(null)).toBe('')
})
