import { describe, expect, it } from 'vitest'
import { type ForecastInput, forecastUpgrade } from '../../src/lib/ops/upgrade-forecast.ts'
import { timingsOf, upgradeTimings } from '../../src/lib/ops/upgrade-history.ts'
import type { KubeObject, Plan, RunResult, StepResult } from '../../src/lib/types.ts'

interface PodShape {
  node?: string
  namespace?: string
  labels?: Record<string, string>
  /** `Kind/name`; null for a pod that nobody owns. */
  owner?: string | null
  claim?: string
}

function pod(
  name: string,
  { node = 'w1', namespace = 'apps', labels = {}, owner = `ReplicaSet/${name}`, claim }: PodShape = {},
): KubeObject {
  const [kind = '', ownerName = ''] = (owner ?? '').split('/')
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels,
      ...(owner === null
        ? {}
        : { ownerReferences: [{ kind, name: ownerName, uid: `${namespace}/${owner}`, controller: true }] }),
    } as KubeObject['metadata'],
    spec: { nodeName: node, volumes: claim ? [{ persistentVolumeClaim: { claimName: claim } }] : [] },
    status: { phase: 'Running' },
  }
}

const budget = (
  name: string,
  labels: Record<string, string>,
  disruptionsAllowed: number,
  namespace = 'apps',
): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace, generation: 1 },
  spec: { selector: { matchLabels: labels } },
  status: { disruptionsAllowed, observedGeneration: 1, currentHealthy: 1, desiredHealthy: 1 },
})

const database = (name: string, instances: number, currentPrimary: string): KubeObject => ({
  apiVersion: 'postgresql.cnpg.io/v1',
  kind: 'Cluster',
  metadata: { name, namespace: 'databases' },
  spec: { instances },
  status: { currentPrimary },
})

const forecast = (more: Partial<ForecastInput>) =>
  forecastUpgrade({
    batches: [['w1'], ['w2']],
    atTarget: [],
    pods: [],
    budgets: [],
    databases: [],
    cephClusters: [],
    claims: [],
    volumes: [],
    history: [],
    ...more,
  })
const nodeOf = (more: Partial<ForecastInput>, name = 'w1') => forecast(more).nodes.find(({ node }) => node === name)!

describe('what blocks a drain', () => {
  it('is a budget that allows nothing, and it is named with its count', () => {
    const labels = { app: 'web' }
    const found = nodeOf({
      pods: [pod('web-1', { labels }), pod('web-2', { labels, node: 'w2' })],
      budgets: [budget('web', labels, 0)],
    })
    expect(found.blocks).toEqual([
      { pod: 'apps/web-1', why: 'PodDisruptionBudget web allows no disruption (1 healthy, 1 needed)' },
    ])
    expect(nodeOf({ pods: [pod('web-1', { labels })], budgets: [budget('web', labels, 1)] }).blocks).toEqual([])
    expect(nodeOf({ pods: [pod('web-1', { labels })], budgets: [budget('web', labels, 0, 'other')] }).blocks).toEqual(
      [],
    )
  })

  it('is two budgets over one pod, which the eviction API refuses whatever they allow', () => {
    const labels = { app: 'web' }
    const budgets = [budget('a', labels, 1), budget('b', labels, 1)]
    expect(nodeOf({ pods: [pod('web-1', { labels })], budgets }).blocks[0]?.why).toContain('2 budgets: a, b')
  })

  it('is a pod that nobody would start again', () => {
    expect(nodeOf({ pods: [pod('lonely', { owner: null })] }).blocks[0]).toMatchObject({ pod: 'apps/lonely' })
  })

  it('is not what stays on the node anyway, nor what its operator moves', () => {
    const primary = { 'cnpg.io/cluster': 'db', 'cnpg.io/instanceRole': 'primary' }
    const found = nodeOf({
      pods: [
        pod('agent', { owner: 'DaemonSet/agent' }),
        pod('apiserver', { owner: 'Node/w1' }),
        pod('db-1', { namespace: 'databases', labels: primary, owner: 'Cluster/db' }),
        pod('db-2', { namespace: 'databases', owner: 'Cluster/db', node: 'w2' }),
      ],
      budgets: [budget('db-primary', primary, 0, 'databases')],
      databases: [database('db', 3, 'db-1')],
    })
    expect(found).toMatchObject({ blocks: [], evicts: 1, risks: ['database databases/db switches over from db-1'] })
    const single = nodeOf({
      pods: [pod('db-1', { namespace: 'databases', labels: primary, owner: 'Cluster/db' })],
      budgets: [budget('db-primary', primary, 0, 'databases')],
      databases: [database('db', 1, 'db-1')],
    })
    expect(single.blocks).toHaveLength(1)
    expect(single.risks).toEqual(['database databases/db away: it has no standby'])
  })
})

describe('what is away meanwhile', () => {
  it('is the only pod of its owner, and a pod whose volume is on the node', () => {
    const claims = [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data', namespace: 'apps' },
        spec: { volumeName: 'pv-1' },
      },
    ]
    const volumes = [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'pv-1' },
        spec: { local: { path: '/var/mnt/x' } },
      },
    ]
    const found = nodeOf({
      pods: [
        pod('only', { owner: 'ReplicaSet/only' }),
        pod('store-0', { owner: 'StatefulSet/store', claim: 'data' }),
        pod('many-1', { owner: 'ReplicaSet/many' }),
        pod('many-2', { owner: 'ReplicaSet/many', node: 'w2' }),
        pod('import', { owner: 'Job/import' }),
      ],
      claims,
      volumes,
    })
    expect(found.interrupts).toEqual([
      { pod: 'apps/only', why: 'is the only pod of ReplicaSet only' },
      { pod: 'apps/store-0', why: 'its volume data is on this node: it waits until the node is back' },
      { pod: 'apps/import', why: 'its Job begins anew' },
    ])
    expect(found.blocks).toEqual([])
  })

  it("names Ceph's members with its health", () => {
    const osd = (id: string, node: string) =>
      pod(`rook-ceph-osd-${id}`, { namespace: 'rook-ceph', node, labels: { app: 'rook-ceph-osd', 'ceph-osd-id': id } })
    const mon = pod('rook-ceph-mon-b', {
      namespace: 'rook-ceph',
      labels: { app: 'rook-ceph-mon', ceph_daemon_id: 'b' },
    })
    const cephClusters = [
      {
        apiVersion: 'ceph.rook.io/v1',
        kind: 'CephCluster',
        metadata: { name: 'ceph' },
        status: { ceph: { health: 'HEALTH_WARN' } },
      },
    ]
    expect(nodeOf({ pods: [osd('3', 'w1'), osd('1', 'w1'), osd('4', 'w2'), mon], cephClusters }).risks).toEqual([
      'Ceph without OSD 1, 3 and monitor b (now HEALTH_WARN)',
    ])
  })
})

describe('how long it takes', () => {
  const step = (id: string, seconds: number, state: StepResult['state'] = 'done'): StepResult => ({
    id,
    title: id,
    state,
    seconds,
  })
  const run = (steps: StepResult[], cluster = 'apps') => ({
    plan: { operation: 'talos.upgrade', cluster } as Plan,
    result: { steps } as RunResult,
  })
  const whole = (node: string, upgrade: number) => [
    step(`${node}/check`, 1),
    step(`${node}/drain`, 9),
    step(`${node}/upgrade`, upgrade),
    step(`${node}/recover`, 30),
  ]

  it('comes from nodes that one process upgraded from beginning to end', () => {
    const timings = upgradeTimings(
      [
        run([...whole('w1', 60), ...whole('w2', 100)]),
        run([step('w3/check', 0.1, 'skipped'), step('w3/upgrade', 5), step('w3/recover', 30)]),
        run(whole('w4', 60), 'infra'),
      ],
      'apps',
    )
    expect(timings).toEqual([
      { node: 'w1', seconds: 100 },
      { node: 'w2', seconds: 140 },
    ])
    expect(timingsOf(timings, 'w1')).toEqual({ lowSec: 100, likelySec: 100, highSec: 100 })
    expect(timingsOf(timings, 'new')).toEqual({ lowSec: 100, likelySec: 140, highSec: 140 })
    expect(timingsOf([], 'w1')).toBeUndefined()
  })

  it('adds batches up, and of a batch takes the slowest', () => {
    const history = [
      { node: 'w1', seconds: 100 },
      { node: 'w2', seconds: 140 },
      { node: 'w3', seconds: 50 },
    ]
    expect(forecast({ batches: [['w1'], ['w2', 'w3']], history }).expected).toEqual({
      lowSec: 240,
      likelySec: 240,
      highSec: 240,
    })
    expect(forecast({ history: [] }).expected).toBeUndefined()
  })
})
