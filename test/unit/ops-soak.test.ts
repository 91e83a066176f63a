import { describe, expect, it } from 'vitest'
import { GateError } from '../../src/lib/errors.ts'
import {
  earlierClusters,
  requireSoak,
  type SoakEvidence,
  type SoakRule,
  soakFact,
  soakFaults,
} from '../../src/lib/ops/soak.ts'
import type { KubeObject } from '../../src/lib/types.ts'

const now = new Date('2026-11-24T12:00:00Z')
const rule: SoakRule = { what: 'talos', version: 'v1.12.12', soakSec: 24 * 3600, now }

const node = (
  name: string,
  { talos = 'v1.12.12', kubelet = 'v1.35.4', since = '2026-11-23T10:00:00Z', ready = 'True' } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: {
    nodeInfo: { osImage: `Talos (${talos})`, kubeletVersion: kubelet },
    conditions: [{ type: 'Ready', status: ready, lastTransitionTime: since }],
  },
})

const apiServer = (name: string, version: string, startedAt: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'kube-system' },
  spec: { containers: [{ image: `registry.k8s.io/kube-apiserver:${version}` }] },
  status: { containerStatuses: [{ state: { running: { startedAt } } }] },
})

const evidence = (nodes: KubeObject[], more: Partial<SoakEvidence> = {}): SoakEvidence => ({
  cluster: 'infra',
  nodes,
  staticPods: [],
  unwell: [],
  ...more,
})

describe('a version has soaked', () => {
  it('when every node has run it, Ready without a break, for the whole time', () => {
    expect(soakFaults(evidence([node('a'), node('b')]), rule)).toEqual([])
  })

  it.each([
    ['a node runs another one', [node('a'), node('b', { talos: 'v1.12.11' })], 'infra: b runs v1.12.11, not v1.12.12'],
    [
      'a node was restarted since',
      [node('a', { since: '2026-11-24T09:00:00Z' })],
      'infra: a has run it without a break for 3 h of 24 h',
    ],
    ['a node is not Ready', [node('a', { ready: 'Unknown' })], 'infra: a has run it without a break for 0 h of 24 h'],
    ['the cluster has no nodes', [], 'infra: it has no nodes'],
  ])('not when %s', (_, nodes, fault) => {
    expect(soakFaults(evidence(nodes), rule)).toEqual([fault])
  })

  it('not while the cluster is not well, or can not be asked', () => {
    expect(soakFaults(evidence([node('a')], { unwell: ['CephCluster: HEALTH_WARN'] }), rule)).toEqual([
      'infra: CephCluster: HEALTH_WARN',
    ])
    expect(soakFaults(evidence([], { unwell: ['it does not answer'] }), rule)).toEqual(['infra: it does not answer'])
  })

  it('of Kubernetes when kubelets and the control plane have run it', () => {
    const kubernetes: SoakRule = { ...rule, what: 'kubernetes', version: 'v1.35.5' }
    const nodes = [node('a', { kubelet: 'v1.35.5' })]
    const old = apiServer('kube-apiserver-a', 'v1.35.5', '2026-11-20T00:00:00Z')
    expect(soakFaults(evidence(nodes, { staticPods: [old] }), kubernetes)).toEqual([])
    const young = apiServer('kube-apiserver-a', 'v1.35.5', '2026-11-24T11:00:00Z')
    expect(soakFaults(evidence(nodes, { staticPods: [young] }), kubernetes)).toEqual([
      'infra: kube-apiserver-a has run it without a break for 1 h of 24 h',
    ])
    expect(soakFaults(evidence([node('a')], { staticPods: [old] }), kubernetes)).toEqual([
      'infra: a runs v1.35.4, not v1.35.5',
    ])
  })
})

it('stops with everything that is missing, and goes on with a reason that the plan keeps', () => {
  expect(() => requireSoak(['infra: a runs v1'], rule, undefined)).toThrow(GateError)
  expect(() => requireSoak(['infra: a runs v1'], rule, 'CVE-2026-1')).not.toThrow()
  expect(soakFact(['infra: a runs v1'], ['infra'], 'CVE-2026-1')).toEqual({
    missing: ['infra: a runs v1'],
    now: 'CVE-2026-1',
  })
  expect(soakFact([], ['infra'], undefined)).toBe('soaked on infra')
  expect(soakFact([], [], undefined)).toBe('first in the rollout order')
})

it('asks all clusters that come before', () => {
  expect(earlierClusters(['infra', 'apps'], 'infra')).toEqual([])
  expect(earlierClusters(['infra', 'apps'], 'apps')).toEqual(['infra'])
  expect(earlierClusters(['infra', 'apps'], 'lab')).toEqual(['infra', 'apps'])
})
