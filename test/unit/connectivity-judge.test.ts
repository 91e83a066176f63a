/** What is said of a network, out of the pods and objects that a test leaves. */
import { describe, expect, it } from 'vitest'
import { type Ask, answersOf, answersText } from '../../src/lib/ops/connectivity-asks.ts'
import { judgeAnnouncements, judgeProbes } from '../../src/lib/ops/connectivity-judge.ts'
import { probeObjects, roleLabel } from '../../src/lib/ops/connectivity-probes.ts'
import type { KubeObject } from '../../src/lib/types.ts'

const node = (name: string, ready = 'True'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: ready }] },
})
const gateway = (name: string, address?: string): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name, namespace: 'networking' },
  status: address ? { addresses: [{ value: address }] } : {},
})
const route = (host: string, parent: string): KubeObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: host, namespace: 'shop' },
  spec: { hostnames: [host, '*.wild.example'], parentRefs: [{ name: parent, namespace: 'networking' }] },
})
const choice = {
  suite: 'quick' as const,
  image: 'k8sops:1',
  token: 't/1',
  windowSec: 60,
  mtu: 8920,
  egress: ['https://r2.example'],
  insideServer: '10.25.10.30',
  outsideServer: '1.1.1.1',
  outsideAddress: '10.25.28.2',
}
const world = [
  node('a'),
  node('b'),
  node('c'),
  node('away', 'False'),
  gateway('in', '10.25.28.3'),
  gateway('out', '10.25.28.2'),
  gateway('unset'),
  route('grafana.example', 'in'),
  route('shop.example', 'out'),
  route('nowhere.example', 'unset'),
]
const pods = (objects: KubeObject[] = world, how = choice) =>
  (probeObjects(objects, how) as KubeObject[]).filter(({ kind }) => kind === 'Pod')
const asksOf = (pod?: KubeObject): Ask[] => {
  const { containers } = (pod?.spec ?? { containers: [] }) as { containers: { args: string[] }[] }
  return JSON.parse(containers[0]?.args.at(-1) ?? '[]') as Ask[]
}

/** The pod as it has ended. @param answer of each ask */
const ended = (pod: KubeObject, answer: (ask: Ask) => string): KubeObject => ({
  ...pod,
  status: {
    phase: 'Succeeded',
    containerStatuses: [{ state: { terminated: { exitCode: 0, message: answersText(asksOf(pod).map(answer)) } } }],
  },
})
const isClosed = ({ metadata }: KubeObject) => metadata.labels?.[roleLabel] === 'closed'
const healthy = (open: (ask: Ask) => string = () => '') =>
  pods().map((pod) => ended(pod, isClosed(pod) ? () => 'no answer' : open))
const rowOf = (rows: { check: string }[], check: string) => rows.find((row) => row.check === check)

describe('probeObjects', () => {
  it('starts one on each node that takes pods, and asks what is asked once on the first', () => {
    expect(pods().map(({ metadata, spec }) => [metadata.name, spec?.nodeName])).toEqual([
      ['node-a', 'a'],
      ['node-b', 'b'],
      ['node-c', 'c'],
      ['closed', 'c'],
    ])
    expect(asksOf(pods()[1]).map(({ check }) => check)).toEqual(['dns-inside', 'mtu'])
  })

  it('asks each side for the hosts of routes: the inner server for those inside, the world for what it may see', () => {
    const split = asksOf(pods()[0]).flatMap((ask) =>
      ask.kind === 'dns' && ask.check === 'dns-split' ? [[ask.name, ask.server, ask.expect]] : [],
    )
    expect(split).toEqual([
      ['grafana.example', '10.25.10.30', '10.25.28.3'],
      ['grafana.example', '1.1.1.1', 'none'],
      ['shop.example', '1.1.1.1', 'some'],
    ])
  })

  it.each([
    ['quick', 1],
    ['full', 2],
  ] as const)('%s: asks whether %i other nodes get the whole MTU, without the headers', (suite, count) => {
    const asked = asksOf(pods(world, { ...choice, suite } as typeof choice)[0]).filter(({ kind }) => kind === 'ping')
    expect(asked).toHaveLength(count)
    expect(asked[0]).toMatchObject({ host: 'node-b.peers.k8sops-connectivity.svc', bytes: 8892 })
  })

  it('makes pods that end by themselves and may nothing that Pod Security forbids', () => {
    for (const { spec } of pods())
      expect(spec).toMatchObject({
        activeDeadlineSeconds: 60,
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true },
      })
  })

  it('refuses a cluster without a node', () => {
    expect(() => probeObjects([node('a', 'False')], choice)).toThrow('no node is ready')
  })
})

describe('judgeProbes', () => {
  it('passes what was answered as it should be, and the denial of what others reach', () => {
    const rows = judgeProbes(healthy())
    expect(rows.map(({ check, state }) => `${check} ${state}`)).toEqual([
      'dns-inside passed',
      'dns-split passed',
      'routes passed',
      'egress passed',
      'mtu passed',
      'default-deny passed',
    ])
    expect(rowOf(rows, 'default-deny')).toMatchObject({ detail: expect.stringContaining('https://r2.example') })
  })

  it('says from where what was not reached, and why', () => {
    const rows = judgeProbes(healthy((ask) => (ask.kind === 'ping' ? '100% packet loss' : '')))
    expect(rowOf(rows, 'mtu')).toEqual({
      check: 'mtu',
      state: 'failed',
      detail:
        'node-a: 8920 bytes to b: 100% packet loss; node-b: 8920 bytes to c: 100% packet loss; node-c: 8920 bytes to a: 100% packet loss',
    })
    expect(rowOf(rows, 'routes')).toMatchObject({ state: 'passed' })
  })

  it('fails the default deny when anything comes through', () => {
    const rows = judgeProbes(
      pods().map((pod) => ended(pod, (ask) => (isClosed(pod) && ask.kind === 'ping' ? 'no answer' : ''))),
    )
    expect(rowOf(rows, 'default-deny')).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('https://r2.example answers'),
    })
  })

  it('does not take for a denial what answers nobody', () => {
    const rows = judgeProbes(healthy(() => 'no answer'))
    expect(rowOf(rows, 'default-deny')).toEqual({
      check: 'default-deny',
      state: 'unproven',
      detail: 'what is to be denied answers nobody',
    })
  })

  it('says unproven of pods in which nothing ever spoke, never passed', () => {
    const rows = judgeProbes(
      pods().map((pod) => ({ ...pod, status: { phase: 'Running', containerStatuses: [{ state: { running: {} } }] } })),
    )
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['unproven']))
    expect(rowOf(rows, 'mtu')).toMatchObject({
      detail: 'node-a, node-b, node-c: a pod was started, and no process in it has said anything',
    })
  })

  it('fails what could not be asked because a pod never got a network', () => {
    const rows = judgeProbes(
      pods().map((pod) => ({
        ...pod,
        status: { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }] },
      })),
    )
    expect(rowOf(rows, 'dns-inside')).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('ContainerCreating'),
    })
  })

  it('says unproven, and what the container said, when it was no answer', () => {
    const message = 'error: unknown command\n'
    const rows = judgeProbes(
      pods().map((pod) => ({
        ...pod,
        status: { phase: 'Failed', containerStatuses: [{ state: { terminated: { exitCode: 2, message } } }] },
      })),
    )
    expect(rowOf(rows, 'egress')).toMatchObject({
      state: 'unproven',
      detail: 'node-a: the probe ended with 2: error: unknown command',
    })
  })

  it('knows nothing without pods', () => {
    expect(new Set(judgeProbes([]).map(({ state }) => state))).toEqual(new Set(['unproven']))
  })
})

describe('answers as a termination message', () => {
  it('stays below the limit of 4096 bytes, and keeps every answer', () => {
    const answers = Array.from({ length: 60 }, (_, index) => (index % 2 ? '' : 'ü'.repeat(300)))
    const text = answersText(answers)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096)
    expect(answersOf(text, 60)?.map((one) => one === '')).toEqual(answers.map((one) => one === ''))
  })

  it.each(['', 'no', '["a"]', '[1,2]', '{}'])('is not read out of %j', (text) => {
    expect(answersOf(text, 2)).toBeUndefined()
  })
})

const service = (name: string, ip?: string, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'networking' },
  spec: { type: 'LoadBalancer', ...spec },
  status: { loadBalancer: ip ? { ingress: [{ ip }] } : {} },
})
const session = (name: string, peeringState: string, advertised: number): KubeObject => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumBGPNodeConfig',
  metadata: { name },
  status: {
    bgpInstances: [
      {
        name: 'apps',
        peers: [{ name: 'srx', peeringState, routeCount: [{ afi: 'ipv4', safi: 'unicast', advertised }] }],
      },
    ],
  },
})
const slice = (of: string, ...nodes: string[]): KubeObject =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${of}-x`, namespace: 'networking', labels: { 'kubernetes.io/service-name': of } },
    endpoints: nodes.map((nodeName) => ({ nodeName, conditions: { ready: true } })),
  }) as KubeObject

describe('judgeAnnouncements', () => {
  const announced = (objects: KubeObject[]) => rowOf(judgeAnnouncements(objects), 'lb-announced')
  const local = { externalTrafficPolicy: 'Local' }

  it('says from which nodes each address is announced: with Local those where it runs', () => {
    const objects = [
      service('everywhere', '10.0.0.1'),
      service('here', '10.0.0.2', local),
      slice('here', 'b'),
      session('a', 'established', 1),
      session('b', 'established', 2),
    ]
    expect(announced(objects)).toEqual({
      check: 'lb-announced',
      state: 'passed',
      detail: '10.0.0.1 from a, b; 10.0.0.2 from b',
    })
  })

  it.each([
    [
      'a session is down',
      [service('web', '10.0.0.1'), session('a', 'established', 1), session('b', 'idle', 0)],
      'no session: b: srx idle',
    ],
    [
      'too few routes are announced',
      [service('web', '10.0.0.1'), session('a', 'established', 0)],
      'a announces 0 routes, of 1 addresses',
    ],
    [
      'it runs on no node with a session',
      [service('web', '10.0.0.1', local), slice('web', 'z'), session('a', 'established', 1)],
      'networking/web: no node that it runs on has a session',
    ],
  ])('fails when %s', (_, objects, detail) => {
    expect(announced(objects)).toEqual({ check: 'lb-announced', state: 'failed', detail })
  })

  it('is unproven where nobody tells of sessions', () => {
    const silent = { ...session('a', '', 0), status: {} }
    for (const sessions of [[], [silent]])
      expect(announced([service('web', '10.0.0.1'), ...sessions])).toMatchObject({ state: 'unproven' })
  })

  it('fails a Service without an address, and leaves out what asks not to be announced', () => {
    const hidden = {
      ...service('hidden'),
      metadata: { ...service('hidden').metadata, labels: { 'k8sops.dev/bgp-advertise': 'false' } },
    }
    expect(judgeAnnouncements([service('web', '10.0.0.1'), hidden])[0]).toMatchObject({ state: 'passed' })
    expect(judgeAnnouncements([service('web')])[0]).toMatchObject({
      state: 'failed',
      detail: 'without an address: networking/web',
    })
  })
})
