/**
 * Clusters that are broken in one place or in two, for `why`. Each case is an application of its own (`shop-N`, which depends on `base-N`) in a
 * namespace of its own, so that all of them are broken at one time in one cluster.
 */
import type { BreakClass } from '../../src/lib/ops/why/link.ts'
import type { FluxCluster } from './flux-cluster.ts'

type Spec = { [key: string]: unknown }
interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; annotations?: Record<string, string> }
  spec?: Spec
  data?: Record<string, string>
  stringData?: Record<string, string>
}

/** One application and what it depends on, before it is broken. */
export interface World {
  id: string
  namespace: string
  base: Manifest
  shop: Manifest
  /** Files of kubernetes/<id>, by path below it. */
  files: Map<string, unknown>
  pod: Spec
  /** Applied beside what Git has. */
  objects: Manifest[]
  /** Once everything has settled. */
  after: ((at: FluxCluster) => Promise<void>)[]
}

export interface Fault {
  name: string
  /** Where on the way down it stands: of two, the smaller one is the cause. */
  rank: number
  /** What it changes: two of the same can not be had at once. */
  slot: string
  inject: (world: World) => void
  /** `Kind/namespace/name`; a pod's name is a prefix. */
  expect: (world: World) => [kind: BreakClass, object: string]
}

const object = (
  apiVersion: string,
  kind: string,
  name: string,
  namespace: string,
  more: Partial<Manifest> = {},
): Manifest => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace ? { namespace } : {}) },
  ...more,
})
const kustomization = (name: string, path: string, more: Spec = {}): Manifest =>
  object('kustomize.toolkit.fluxcd.io/v1', 'Kustomization', name, 'flux-system', {
    spec: {
      interval: '1h',
      retryInterval: '1h',
      timeout: '20s',
      path,
      prune: true,
      wait: true,
      sourceRef: { kind: 'GitRepository', name: 'flux-system' },
      ...more,
    },
  })

export function wholeWorld(id: string): World {
  const path = `kubernetes/${id}`
  const pod: Spec = {
    nodeSelector: { 'kubernetes.io/hostname': 'worker1' },
    containers: [{ name: 'web', image: 'example.com/web:1', resources: { requests: { cpu: '1m', memory: '1Mi' } } }],
  }
  const labels = { app: 'web' }
  const deployment = object('apps/v1', 'Deployment', 'web', id, {
    spec: {
      replicas: 1,
      progressDeadlineSeconds: 600,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: pod },
    },
  })
  return {
    id,
    namespace: id,
    pod,
    base: kustomization(`base-${id}`, `${path}/base`),
    shop: kustomization(`shop-${id}`, `${path}/shop`, { dependsOn: [{ name: `base-${id}` }] }),
    files: new Map<string, unknown>([
      ['base/settings.yaml', object('v1', 'ConfigMap', 'base', id, { data: { a: '1' } })],
      ['shop/web.yaml', deployment],
    ]),
    objects: [],
    after: [],
  }
}

/** What stands in kubernetes/<id>, each directory with its kustomization.yaml unless a fault has written that. */
export function filesOf({ id, files }: World): Record<string, string> {
  const written = Object.fromEntries(
    [...files].map(([path, content]) => [`kubernetes/${id}/${path}`, JSON.stringify(content)]),
  )
  for (const directory of ['base', 'shop']) {
    const own = [...files.keys()].filter((path) => path.startsWith(`${directory}/`)).map((path) => path.split('/')[1])
    written[`kubernetes/${id}/${directory}/kustomization.yaml`] ??= JSON.stringify({ resources: own })
  }
  return written
}

const set = (manifest: Manifest, more: Spec): void => {
  manifest.spec = { ...manifest.spec, ...more }
}
const shopIs = ({ shop }: World) => `Kustomization/flux-system/${shop.metadata.name}`
const baseIs = ({ base }: World) => `Kustomization/flux-system/${base.metadata.name}`
const breakBuild = (world: World, directory: string) =>
  world.files.set(`${directory}/kustomization.yaml`, { resources: ['gone.yaml'] })

/** A HelmRelease `dns` with its chart, which a fault then breaks. */
function withRelease({ files, namespace }: World): { release: Manifest; chart: Manifest } {
  const chart = object('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'dns', namespace, {
    spec: {
      interval: '1h',
      url: 'oci://ghcr.io/coredns/charts/coredns',
      ref: { tag: '1.45.2' },
      layerSelector: { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', operation: 'copy' },
    },
  })
  const release = object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'dns', namespace, {
    spec: { interval: '1h', timeout: '20s', chartRef: { kind: 'OCIRepository', name: 'dns' } },
  })
  files.set('shop/chart.yaml', chart)
  files.set('shop/release.yaml', release)
  return { release, chart }
}

function withExternalSecret({ files, namespace }: World, store: string): void {
  const spec = {
    refreshInterval: '5m',
    secretStoreRef: { kind: 'ClusterSecretStore', name: store },
    target: { name: 'web' },
    dataFrom: [{ extract: { key: 'web' } }],
  }
  files.set('shop/secret.yaml', object('external-secrets.io/v1', 'ExternalSecret', 'web', namespace, { spec }))
}

function storeOf({ id, namespace }: World): Manifest {
  const token = { name: 'token', namespace, key: 'token' }
  const onepassword = {
    connectHost: `http://connect.nowhere-${id}.svc:8080`,
    vaults: { lab: 1 },
    auth: { secretRef: { connectTokenSecretRef: token } },
  }
  return object('external-secrets.io/v1', 'ClusterSecretStore', `store-${id}`, '', {
    spec: { provider: { onepassword } },
  })
}

/** What a kubelet would say of the only container; kwok's pods would just run. */
function containerSays(world: World, reason: string, message: string, ended?: object): void {
  const { namespace } = world
  world.after.push(async ({ cluster }) => {
    const list = await cluster.get<{ items: { metadata: { name: string } }[] }>(
      '-n',
      namespace,
      'pods',
      '-l',
      'app=web',
    )
    const lastTransitionTime = new Date().toISOString()
    const conditions = [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady', lastTransitionTime }]
    const container = {
      name: 'web',
      image: 'x',
      imageID: '',
      ready: false,
      restartCount: 4,
      state: { waiting: { reason, message } },
      ...ended,
    }
    const status = JSON.stringify({ status: { phase: 'Pending', conditions, containerStatuses: [container] } })
    for (const { metadata } of list.items)
      await cluster.kubectl(
        '-n',
        namespace,
        'patch',
        'pod',
        metadata.name,
        '--subresource',
        'status',
        '--type',
        'merge',
        '-p',
        status,
      )
    if (list.items.length === 0) return
    await cluster.until('the Deployment has heard of it', async () => {
      const ready = '{.status.readyReplicas}'
      const said = await cluster.kubectl('-n', namespace, 'get', 'deployment', 'web', '-o', `jsonpath=${ready}`)
      return said === '' || said === '0'
    })
  })
}

const podOf = ({ namespace }: World) => `Pod/${namespace}/web-`

export const faults: Fault[] = [
  {
    name: 'held',
    rank: 0,
    slot: 'held',
    inject: (world) =>
      world.after.push(
        async ({ k8sops }) => void (await k8sops('flux', 'suspend', world.shop.metadata.name, '--for', '1h')),
      ),
    expect: (world) => ['suspended', shopIs(world)],
  },
  {
    name: 'dependency gone',
    rank: 1,
    slot: 'dependsOn',
    inject: ({ shop, id }) => set(shop, { dependsOn: [{ name: `gone-${id}` }] }),
    expect: ({ id }) => ['dependency-missing', `Kustomization/flux-system/gone-${id}`],
  },
  {
    name: 'dependency not built',
    rank: 1,
    slot: 'dependsOn',
    inject: (world) => void breakBuild(world, 'base'),
    expect: (world) => ['build-failed', baseIs(world)],
  },
  {
    name: 'dependency held',
    rank: 1,
    slot: 'dependsOn',
    inject: ({ base }) => set(base, { suspend: true }),
    expect: (world) => ['suspended', baseIs(world)],
  },
  {
    name: 'cycle',
    rank: 1,
    slot: 'dependsOn',
    inject: ({ base, shop }) => set(base, { dependsOn: [{ name: shop.metadata.name }] }),
    expect: (world) => ['dependency-cycle', shopIs(world)],
  },
  {
    name: 'source gone',
    rank: 2,
    slot: 'source',
    inject: ({ shop, id }) => set(shop, { sourceRef: { kind: 'GitRepository', name: `gone-${id}` } }),
    expect: ({ id }) => ['source-missing', `GitRepository/flux-system/gone-${id}`],
  },
  {
    name: 'branch gone',
    rank: 2,
    slot: 'source',
    inject: (world) => ownSource(world, { ref: { branch: 'nope' } }),
    expect: ({ id }) => ['source-failed', `GitRepository/flux-system/source-${id}`],
  },
  {
    name: 'deploy key gone',
    rank: 2,
    slot: 'source',
    inject: (world) => ownSource(world, { secretRef: { name: `key-${world.id}` } }),
    expect: ({ id }) => ['secret-missing', `Secret/flux-system/key-${id}`],
  },
  {
    name: 'settings gone',
    rank: 3,
    slot: 'inputs',
    inject: ({ shop, id }) => set(shop, { postBuild: { substituteFrom: [{ kind: 'ConfigMap', name: `gone-${id}` }] } }),
    expect: ({ id }) => ['settings-missing', `ConfigMap/flux-system/gone-${id}`],
  },
  {
    name: 'not built',
    rank: 4,
    slot: 'build',
    inject: (world) => void breakBuild(world, 'shop'),
    expect: (world) => ['build-failed', shopIs(world)],
  },
  {
    name: 'kind not served',
    rank: 4,
    slot: 'apply',
    inject: ({ files, namespace }) =>
      void files.set('shop/thing.yaml', object('example.com/v1', 'Thing', 'x', namespace)),
    expect: (world) => ['apply-failed', shopIs(world)],
  },
  {
    name: 'chart version gone',
    rank: 5,
    slot: 'release',
    inject: (world) => set(withRelease(world).chart, { ref: { tag: '9.9.9' } }),
    expect: ({ namespace }) => ['chart-failed', `OCIRepository/${namespace}/dns`],
  },
  {
    name: 'values gone',
    rank: 5,
    slot: 'release',
    inject: (world) => set(withRelease(world).release, { valuesFrom: [{ kind: 'Secret', name: 'values' }] }),
    expect: ({ namespace }) => ['secret-missing', `Secret/${namespace}/values`],
  },
  {
    name: 'values refused',
    rank: 5,
    slot: 'release',
    inject: (world) => set(withRelease(world).release, { values: { nonsense: { a: 1 } } }),
    expect: ({ namespace }) => ['release-failed', `HelmRelease/${namespace}/dns`],
  },
  {
    name: 'dependency of the release gone',
    rank: 5,
    slot: 'release',
    inject: (world) => set(withRelease(world).release, { dependsOn: [{ name: 'gone' }] }),
    expect: ({ namespace }) => ['dependency-missing', `HelmRelease/${namespace}/gone`],
  },
  {
    name: 'store gone',
    rank: 6,
    slot: 'secrets',
    inject: (world) => withExternalSecret(world, `gone-${world.id}`),
    expect: ({ id }) => ['store-missing', `ClusterSecretStore/gone-${id}`],
  },
  {
    name: "store's token gone",
    rank: 6,
    slot: 'secrets',
    inject: (world) => {
      withExternalSecret(world, `store-${world.id}`)
      world.objects.push(storeOf(world))
    },
    expect: ({ namespace }) => ['secret-missing', `Secret/${namespace}/token`],
  },
  {
    name: 'store away',
    rank: 6,
    slot: 'secrets',
    inject: (world) => {
      withExternalSecret(world, `store-${world.id}`)
      world.objects.push(
        storeOf(world),
        object('v1', 'Secret', 'token', world.namespace, { stringData: { token: 'x' } }),
      )
    },
    expect: ({ id }) => ['store-failed', `ClusterSecretStore/store-${id}`],
  },
  {
    name: 'quota',
    rank: 7,
    slot: 'pod',
    inject: ({ objects, namespace }) =>
      void objects.push(object('v1', 'ResourceQuota', 'none', namespace, { spec: { hard: { pods: '0' } } })),
    expect: ({ namespace }) => ['pods-refused', `Deployment/${namespace}/web`],
  },
  {
    name: 'no node for it',
    rank: 7,
    slot: 'pod',
    inject: ({ pod }) => void Object.assign(pod, { nodeSelector: { disk: 'none' } }),
    expect: (world) => ['pod-unschedulable', podOf(world)],
  },
  {
    name: 'volume pending',
    rank: 7,
    slot: 'pod',
    inject: ({ pod, files, namespace }) => {
      Object.assign(pod, { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] })
      const spec = {
        storageClassName: 'none',
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
      }
      files.set('shop/claim.yaml', object('v1', 'PersistentVolumeClaim', 'data', namespace, { spec }))
    },
    expect: ({ namespace }) => ['volume-pending', `PersistentVolumeClaim/${namespace}/data`],
  },
  {
    name: 'image gone',
    rank: 7,
    slot: 'pod',
    inject: (world) => containerSays(world, 'ImagePullBackOff', 'manifest unknown'),
    expect: (world) => ['image-failed', podOf(world)],
  },
  {
    name: 'out of memory',
    rank: 7,
    slot: 'pod',
    inject: (world) =>
      containerSays(world, 'CrashLoopBackOff', 'back-off', {
        lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
      }),
    expect: (world) => ['container-crashed', podOf(world)],
  },
  {
    name: "pod's secret gone",
    rank: 7,
    slot: 'pod',
    inject: (world) => {
      const [container] = world.pod.containers as Spec[]
      Object.assign(container ?? {}, { envFrom: [{ secretRef: { name: 'own' } }] })
      containerSays(world, 'CreateContainerConfigError', 'secret "own" not found')
    },
    expect: ({ namespace }) => ['secret-missing', `Secret/${namespace}/own`],
  },
  {
    name: 'node away',
    rank: 7,
    slot: 'pod',
    inject: (world) => {
      // Nothing else runs there.
      Object.assign(world.pod, {
        nodeSelector: { 'kubernetes.io/hostname': 'worker3' },
        tolerations: [{ operator: 'Exists' }],
      })
      world.after.push(async ({ cluster }) => {
        const pods = await cluster.kubectl('-n', world.namespace, 'get', 'pods', '-o', 'name')
        // kwok leaves it alone, and the controller manager hears no more of it.
        await cluster.kubectl('label', 'node', 'worker3', '--overwrite', 'lab.k8sops/power=off')
        if (pods === '') return
        await cluster.until(
          'the pod is not ready',
          async () => {
            const ready = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
            const said = await cluster.kubectl('-n', world.namespace, 'get', 'pods', '-o', `jsonpath=${ready}`)
            return said !== '' && !said.includes('True')
          },
          60,
        )
      })
    },
    expect: () => ['node-not-ready', 'Node/worker3'],
  },
]

function ownSource(world: World, spec: Spec): void {
  const name = `source-${world.id}`
  const url = 'ssh://git@git.test/k8s-ops.git'
  world.objects.push(
    object('source.toolkit.fluxcd.io/v1', 'GitRepository', name, 'flux-system', {
      spec: { interval: '1m', url, ref: { branch: 'main' }, ...spec },
    }),
  )
  set(world.shop, { sourceRef: { kind: 'GitRepository', name } })
}

export interface Case {
  title: string
  world: World
  expected: [kind: BreakClass, object: string]
}

/** A generator of numbers in [0, 1), the same for the same seed (mulberry32). */
function randomOf(seed: string): () => number {
  let state = [...seed].reduce((hash, character) => Math.imul(hash ^ character.charCodeAt(0), 16777619), 2166136261)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Every fault by itself, and as many compositions of two by the seed: the one that stands further up is the cause. */
export function corpus(seed: string): Case[] {
  const random = randomOf(seed)
  const pick = <T>(all: T[]): T => all[Math.floor(random() * all.length)] as T
  const pairs = faults.map((first) => {
    const others = faults.filter(({ rank, slot }) => rank !== first.rank && slot !== first.slot)
    return [first, pick(others)]
  })
  return [...faults.map((one) => [one]), ...pairs].map((together, index) => {
    const world = wholeWorld(`c${index}`)
    for (const fault of together) fault.inject(world)
    const cause = together.toSorted((a, b) => a.rank - b.rank)[0] as Fault
    return { title: together.map(({ name }) => name).join(' + '), world, expected: cause.expect(world) }
  })
}
