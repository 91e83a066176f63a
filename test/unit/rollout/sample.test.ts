/** What a look finds amiss, each by itself; and what is no regression. */
import { expect, it } from 'vitest'
import { stateOf } from '../../../src/lib/ops/rollout/evidence.ts'
import { type SeenCluster, sampleOf } from '../../../src/lib/ops/rollout/sample.ts'
import type { KubeObject, Verdict } from '../../../src/lib/types.ts'
import { type FluxFacts, fluxViewOf, noteOf, sha } from '../flux-world.ts'

const source = { spec: { sourceRef: { kind: 'GitRepository', name: 'flux-system' } } }
const applied = (digit: string) => ({ lastAppliedRevision: `main@sha1:${sha(digit)}` })
const kustomization = (name: string, facts: FluxFacts = {}, digit = 'a') =>
  fluxViewOf(name, { ...source, ...facts, status: { ...applied(digit), ...facts.status } })
const release = (facts: FluxFacts = {}) =>
  fluxViewOf('cilium', { kind: 'HelmRelease', namespace: 'kube-system', ...facts })
const node = (ready: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'infra-w1' },
  status: { conditions: [{ type: 'Ready', status: ready, reason: 'NodeStatusUnknown' }] },
})
const pod = (restartCount: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-1', namespace: 'business' },
  status: { containerStatuses: [{ restartCount }] },
})
const gate = (id: string, verdict: Verdict) => ({ check: { gate: id }, verdict })
const well: SeenCluster = {
  flux: [kustomization('flux-system'), kustomization('odoo'), release()],
  nodes: [node('True')],
  pods: [pod(2)],
  gates: [gate('alerts-quiet', { status: 'pass', detail: 'no alert fires' })],
  unread: [],
}
const look = (
  more: Partial<SeenCluster>,
  restartsBefore: Record<string, number> | undefined = { 'business/web-1': 2 },
) => sampleOf({ ...well, ...more }, { at: '2026-12-01T00:00:00Z', restartsBefore, restartLimit: 5 })
const kinds = (more: Partial<SeenCluster>) => look(more).sample.reasons.map(({ kind }) => kind)

it('is well on the commit that all of it has applied', () => {
  const { sample, restarts } = look({})
  expect(sample).toEqual({ at: '2026-12-01T00:00:00Z', revision: sha('a'), reasons: [] })
  expect(stateOf(sample)).toBe('well')
  expect(restarts).toEqual({ 'business/web-1': 2 })
})

it('each of these is a regression by itself', () => {
  const rolledBack = {
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Remediated', status: 'True', reason: 'RollbackSucceeded' },
      ],
    },
  }
  const found: [string, Partial<SeenCluster>][] = [
    [
      'kustomization',
      { flux: [kustomization('flux-system'), kustomization('odoo', { ready: 'False', reason: 'HealthCheckFailed' })] },
    ],
    ['kustomization', { flux: [kustomization('flux-system'), kustomization('odoo', { suspend: true })] }],
    ['helmrelease', { flux: [kustomization('flux-system'), release(rolledBack)] }],
    ['helmrelease', { flux: [kustomization('flux-system'), release({ ready: 'False', reason: 'InstallFailed' })] }],
    ['restarts', { pods: [pod(7)] }],
    ['alert', { gates: [gate('alerts-quiet', { status: 'fail', detail: 'warning KubePodCrashLooping' })] }],
    ['gate', { gates: [gate('ceph-healthy', { status: 'fail', detail: 'HEALTH_ERR' })] }],
    ['node', { nodes: [node('True'), node('Unknown')] }],
  ]
  for (const [kind, more] of found) {
    expect(kinds(more)).toEqual([kind])
    expect(stateOf(look(more).sample)).toBe('regressed')
  }
})

it('what is not known, at work or on hold is none', () => {
  const held = kustomization('odoo', { suspend: true, annotations: noteOf({}) }, 'b')
  expect(stateOf(look({ flux: [kustomization('flux-system'), held] }).sample)).toBe('well')
  const open: Partial<SeenCluster>[] = [
    { flux: [kustomization('flux-system'), kustomization('odoo', {}, 'b')] },
    { flux: [kustomization('flux-system'), kustomization('odoo', { ready: 'False', reason: 'DependencyNotReady' })] },
    { gates: [gate('alerts-quiet', { status: 'unknown', detail: 'no answer' })] },
    { unread: ['pods: connection refused'] },
    { flux: [] },
  ]
  expect(open.map((more) => stateOf(look(more).sample))).toEqual(open.map(() => 'unknown'))
})

it('restarts are counted since the last look; a new pod of that name begins anew, and a first look has nothing to compare with', () => {
  expect(kinds({ pods: [pod(6)] })).toEqual([])
  expect(look({ pods: [pod(5)] }, { 'business/web-1': 9 }).sample.reasons).toHaveLength(1)
  expect(
    sampleOf({ ...well, pods: [pod(50)] }, { at: '', restartsBefore: undefined, restartLimit: 5 }).sample.reasons,
  ).toEqual([])
})
