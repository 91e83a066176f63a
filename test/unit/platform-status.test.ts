/** `k8sops platform status`: every row of the requirements' table, well and broken in each way that it names. */
import { describe, expect, test } from 'vitest'
import { type PlatformKind, readPlatform, resultsIn } from '../../src/lib/ops/platform-facts.ts'
import { platformRows } from '../../src/lib/ops/platform-status.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { condition, factsOf, seenOf, vaultPod, wellObjects, wellResults } from '../helpers/platform-objects.ts'

const rowOf = (component: string, seen: Parameters<typeof platformRows>[0]) =>
  platformRows(seen).find((row) => row.component === component)

test('a platform that is well has a row of the table each, and nothing to do', () => {
  const rows = platformRows(seenOf(wellObjects()))
  expect(rows.map(({ component, state }) => [component, state])).toEqual(
    ['postgres', 'kafka', 's3', 'schema-registry', 'keycloak', 'openbao', 'gatus'].map((name) => [name, 'ok']),
  )
  expect(rows.every(({ next }) => next === '')).toBe(true)
})

type Break = (objects: Record<PlatformKind, KubeObject[]>) => void
const set =
  (kind: PlatformKind, change: (one: KubeObject) => void): Break =>
  (objects) => {
    const [first] = objects[kind]
    if (first) change(first)
  }
const status = (kind: PlatformKind, fields: object): Break =>
  set(kind, (one) => {
    one.status = { ...one.status, ...fields }
  })
const none =
  (kind: PlatformKind): Break =>
  (objects) => {
    objects[kind] = []
  }

const cases: [component: string, what: string, break_: Break, said: RegExp][] = [
  ['postgres', 'none', none('postgres'), /there is no CloudNativePG Cluster/],
  [
    'postgres',
    'not Ready',
    status('postgres', { conditions: [condition('Ready', 'False', 'x is down')] }),
    /x is down/,
  ],
  ['postgres', 'an instance is away', status('postgres', { readyInstances: 2 }), /2 of 3 instances ready/],
  [
    'postgres',
    'fewer than three are wanted',
    set('postgres', (one) => {
      one.spec = { instances: 1 }
    }),
    /1 instances are wanted, not 3/,
  ],
  ['postgres', 'switching over', status('postgres', { targetPrimary: 'pg-2' }), /pg-2 is to take over from pg-1/],
  ['postgres', 'no primary', status('postgres', { currentPrimary: undefined }), /has no primary/],
  [
    'postgres',
    'the primary is fenced',
    set('postgres', (one) => {
      one.metadata.annotations = { 'cnpg.io/fencedInstances': '["pg-1"]' }
    }),
    /pg-1 is fenced/,
  ],
  ['kafka', 'none', none('kafkas'), /there is no Kafka/],
  ['kafka', 'not Ready', status('kafkas', { conditions: [condition('NotReady', 'True', 'Creating')] }), /Creating/],
  ['kafka', 'said of an older spec', status('kafkas', { observedGeneration: 1 }), /not Ready/],
  [
    'kafka',
    'a controller is away',
    status('kafkaPods', { conditions: [condition('Ready', 'False')] }),
    /the quorum holds/,
  ],
  [
    'kafka',
    'two controllers are away',
    (objects) => {
      for (const pod of objects.kafkaPods.slice(0, 2)) pod.status = { conditions: [condition('Ready', 'False')] }
    },
    /1 of 3 controllers are ready: no quorum/,
  ],
  ['kafka', 'no controllers', none('kafkaPods'), /has no controllers/],
  ['kafka', 'ZooKeeper', status('kafkas', { kafkaMetadataState: 'ZooKeeper' }), /not in KRaft/],
  ['kafka', 'no topic was ever made', none('topics'), /there is no KafkaTopic/],
  [
    'kafka',
    'a topic is not made',
    status('topics', { conditions: [condition('Ready', 'False', 'refused')] }),
    /refused/,
  ],
  ['s3', 'no facts', none('buckets'), /there is no ConfigMap/],
  ['s3', 'no keys', none('secretRequests'), /nothing makes a Secret with its keys/],
  [
    's3',
    'keys are not there',
    status('secretRequests', { conditions: [condition('Ready', 'False', 'no item')] }),
    /no item/,
  ],
  ['s3', 'nobody tries it', (objects) => objects.checks.pop(), /no check of Gatus tries its address/],
  ['schema-registry', 'none', none('registries'), /there is no ApicurioRegistry3/],
  ['schema-registry', 'not Ready', status('registries', { conditions: [condition('Ready', 'False', 'gone')] }), /gone/],
  ['schema-registry', '/health fails', status('registryDeployments', { readyReplicas: 1 }), /200 on 1 of 2/],
  [
    'schema-registry',
    'nobody asks /health',
    set('registryDeployments', (one) => {
      one.spec = { replicas: 2 }
    }),
    /nobody asks its \/health/,
  ],
  ['keycloak', 'none', none('keycloaks'), /there is no Keycloak/],
  ['keycloak', 'not Ready', status('keycloaks', { conditions: [condition('Ready', 'False', 'Waiting')] }), /Waiting/],
  ['keycloak', 'no way to the console', none('routes'), /no route leads to its console/],
  ['keycloak', 'the gateway refuses', status('routes', { parents: [] }), /does not take its route/],
  ['keycloak', 'no realm', none('realms'), /there is no KeycloakRealmImport/],
  ['keycloak', 'the import failed', status('realms', { conditions: [condition('HasErrors', 'True', 'bad')] }), /bad/],
  ['openbao', 'none', none('vaultPods'), /there is no pod of OpenBao/],
  [
    'openbao',
    'not initialized',
    set('vaultPods', (one) => {
      one.metadata.labels = { 'openbao-initialized': 'false', 'openbao-sealed': 'true' }
    }),
    /is not initialized: k8sops platform openbao-init/,
  ],
  [
    'openbao',
    'sealed',
    set('vaultPods', (one) => {
      one.metadata.labels = { ...one.metadata.labels, 'openbao-sealed': 'true' }
    }),
    /is sealed/,
  ],
  [
    'openbao',
    'nobody leads',
    (objects) => {
      objects.vaultPods = [vaultPod(0, false), vaultPod(1, false)]
    },
    /0 of its servers are active/,
  ],
  [
    'openbao',
    'it does not say',
    set('vaultPods', (one) => {
      one.metadata.labels = {}
    }),
    /lacks service_registration/,
  ],
  ['gatus', 'does not run', none('checkers'), /there is no Deployment of Gatus/],
  ['gatus', 'an address is not checked', (objects) => objects.checks.shift(), /nobody checks id\.example\.org/],
]

describe('a row that is not well says why, and what to do', () => {
  test.each(cases)('%s: %s', (component, _, break_, said) => {
    const objects = wellObjects()
    break_(objects)
    const row = rowOf(component, seenOf(objects))
    expect(row?.state).toBe('fail')
    expect(row?.summary).toMatch(said)
    expect(row?.next).not.toBe('')
  })
})

describe('what the checker says', () => {
  test('a check that fails is a failure of the platform', () => {
    const failing = { ok: true as const, value: [{ name: 'files', success: false, at: '12:00' }] }
    expect(rowOf('s3', seenOf(wellObjects(), failing))?.summary).toMatch(/Gatus did not reach it at 12:00/)
    expect(rowOf('gatus', seenOf(wellObjects(), failing))?.summary).toMatch(/fails: files/)
  })

  test('silence is unknown, which is not well', () => {
    const silent = { ok: false as const, why: 'unreachable' as const, detail: 'connection refused' }
    expect(rowOf('s3', seenOf(wellObjects(), silent))).toMatchObject({ state: 'unknown' })
    expect(rowOf('gatus', seenOf(wellObjects(), silent))).toMatchObject({ state: 'unknown' })
  })

  test('is read from its own list: the newest result stands last, none is no success', () => {
    const text = JSON.stringify([
      {
        name: 'a',
        results: [
          { success: false, timestamp: 'x' },
          { success: true, timestamp: 'y' },
        ],
      },
      { name: 'b', results: [] },
    ])
    expect(resultsIn(text)).toEqual({
      ok: true,
      value: [
        { name: 'a', success: true, at: 'y' },
        { name: 'b', success: false, at: 'never' },
      ],
    })
    expect(resultsIn('<html>')).toMatchObject({ ok: false, why: 'bad-output' })
    expect(resultsIn('{}')).toMatchObject({ ok: false, why: 'bad-output' })
  })
})

test('what can not be read is unknown', () => {
  const objects = wellObjects()
  const facts = factsOf(objects)
  facts.kafkas = { ok: false, why: 'denied', detail: 'forbidden' }
  expect(rowOf('kafka', { facts, results: wellResults })).toMatchObject({ state: 'unknown' })
})

test('a kind that the cluster does not serve has no objects', async () => {
  const notServed = { ok: false as const, why: 'not-found' as const, detail: 'no such kind' }
  const kube = { list: async () => notServed, watch: async () => {}, raw: async () => notServed }
  const facts = await readPlatform(kube, new AbortController().signal)
  expect(facts.kafkas).toEqual({ ok: true, value: [] })
})
