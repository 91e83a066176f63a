/** What the lab's Strimzi makes of a Kafka and its pools, and what stands in for repositories that the lab can't clone. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { idRange, kafkaServices, nodeClaims, nodeIds, nodePod } from '../../src/lib/lab/operators/strimzi-workloads.ts'
import { pathsReadOf, standInArchive, standInRevision } from '../../src/lib/lab/sources/foreign.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { fc } from '../helpers/seeded-check.ts'

const pool = (name: string, replicas: number, range?: string, ids?: number[]): KubeObject => ({
  apiVersion: 'kafka.strimzi.io/v1beta2',
  kind: 'KafkaNodePool',
  metadata: { name, namespace: 'p', ...(range ? { annotations: { 'strimzi.io/next-node-ids': range } } : {}) },
  spec: {
    replicas,
    roles: [name],
    storage: { type: 'jbod', volumes: [{ id: 0, type: 'persistent-claim', size: '5Gi', class: 'local' }] },
  },
  ...(ids ? { status: { nodeIds: ids } } : {}),
})

const kafka: KubeObject = {
  apiVersion: 'kafka.strimzi.io/v1beta2',
  kind: 'Kafka',
  metadata: { name: 'k', namespace: 'p', uid: 'u' },
  spec: {
    kafka: {
      listeners: [
        { name: 'plain', port: 9092, type: 'internal' },
        {
          name: 'external',
          port: 9094,
          type: 'loadbalancer',
          configuration: { brokers: [{ broker: 1, annotations: { ip: '10.0.0.2' } }] },
        },
      ],
    },
  },
}

describe('node ids of pools', () => {
  test('are read as Strimzi writes ranges', () => {
    expect(idRange('[0-2, 10]')).toEqual([0, 1, 2, 10])
    expect(idRange('[7]')).toEqual([7])
    expect(idRange(undefined)).toEqual([])
  })

  test('a pool takes its own range, keeps what it has, and no id is given twice', () => {
    expect(nodeIds([pool('broker', 3, '[0-9]'), pool('controller', 3, '[10-19]')])).toEqual(
      new Map([
        ['broker', [0, 1, 2]],
        ['controller', [10, 11, 12]],
      ]),
    )
    expect(nodeIds([pool('a', 2, undefined, [4, 5]), pool('b', 2)])).toEqual(
      new Map([
        ['a', [4, 5]],
        ['b', [0, 1]],
      ]),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(8)), { maxLength: 5 }), (sizes) => {
        const pools = sizes.map(([size, first], index) => pool(`p${index}`, size, `[${first}-${first + 2}]`))
        const ids = [...nodeIds(pools).values()]
        expect(ids.map(({ length }) => length)).toEqual(sizes.map(([size]) => size))
        expect(new Set(ids.flat()).size).toBe(ids.flat().length)
      }),
    )
  })
})

describe('objects of a Kafka', () => {
  const node = { pool: pool('broker', 2), id: 1, name: 'k-broker-1' }

  test('a load balancer leads to all brokers and one to each, with the annotations that the listener gives it', () => {
    const services = kafkaServices(kafka, [{ ...node, id: 0, name: 'k-broker-0' }, node])
    expect(services.map(({ metadata }) => metadata.name)).toEqual([
      'k-kafka-bootstrap',
      'k-kafka-brokers',
      'k-kafka-external-bootstrap',
      'k-broker-0',
      'k-broker-1',
    ])
    expect(services.at(-1)).toMatchObject({
      metadata: { annotations: { ip: '10.0.0.2' } },
      spec: { type: 'LoadBalancer', selector: { 'strimzi.io/pod-name': 'k-broker-1' } },
    })
    expect(services[0]?.spec).toMatchObject({ ports: [{ port: 9091 }, { name: 'tcp-plain', port: 9092 }] })
  })

  test('a pod mounts the claim that is made for it, and meets Pod Security restricted', () => {
    const [claim] = nodeClaims(kafka, node)
    expect(claim).toMatchObject({ metadata: { name: 'data-0-k-broker-1' }, spec: { storageClassName: 'local' } })
    expect(nodePod(kafka, node).spec).toMatchObject({
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      volumes: [{ persistentVolumeClaim: { claimName: 'data-0-k-broker-1' } }],
      containers: [{ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
    })
  })
})

describe('a repository of others', () => {
  const source: KubeObject = {
    apiVersion: 'x/v1',
    kind: 'GitRepository',
    metadata: { name: 'theirs', namespace: 'dev' },
  }
  const reader = (name: string, path: string, sourceRef: object): KubeObject => ({
    apiVersion: 'x/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'dev' },
    spec: { path, sourceRef: { kind: 'GitRepository', ...sourceRef } },
  })

  test('is known by the paths that Kustomizations of its namespace, or with its name in full, read', () => {
    const readers = [
      reader('a', './deploy/', { name: 'theirs' }),
      reader('b', 'deploy', { name: 'theirs', namespace: 'dev' }),
      reader('c', './other', { name: 'theirs', namespace: 'flux-system' }),
      reader('d', './', { name: 'theirs' }),
    ]
    expect(pathsReadOf(source, readers)).toEqual(['', 'deploy'])
    expect(pathsReadOf(source, [])).toEqual([])
  })

  test('is an archive with an object at each path, the same each time, under a revision as Flux writes it', () => {
    const archive = standInArchive('ssh://git@example.org/theirs.git', ['', 'deploy'])
    const listed = execFileSync('tar', ['-tzf', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n')
    expect(listed).toEqual(['lab-stand-in.yaml', 'deploy/lab-stand-in.yaml'])
    expect(standInArchive('ssh://git@example.org/theirs.git', ['', 'deploy'])).toEqual(archive)
    expect(standInRevision(archive, { branch: 'main' })).toMatch(/^main@sha1:[0-9a-f]{40}$/)
    expect(standInRevision(archive, { tag: 'v1' })).toMatch(/^v1@sha1:/)
  })
})
