/** The walk over worlds made by hand; test/lab has it over clusters that are really broken. */
import { expect, it } from 'vitest'
import type { Answer, Need } from '../../src/lib/ops/why/link.ts'
import { fixFor } from '../../src/lib/ops/why/mend.ts'
import { whyApp } from '../../src/lib/ops/why/walk.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { type FluxFacts, fluxObject, noteOf } from './flux-world.ts'

interface Machines {
  [node: string]: Record<string, boolean>
}

/** Answers from a list of objects, as an API server would. */
function whyIn(objects: KubeObject[], app = 'odoo', declared = false, machines: Machines = {}) {
  const asked: string[] = []
  const answer = (need: Need): Answer => {
    if ('talosServices' in need) {
      const services = machines[need.talosServices]
      if (!services) return { ok: false, why: 'unreachable', detail: 'connection refused' }
      const value = Object.entries(services).map(([name, healthy]) => ({
        apiVersion: 'v1alpha1',
        kind: 'Service',
        metadata: { name },
        spec: { running: true, healthy, unknown: false },
      }))
      return { ok: true, value }
    }
    asked.push([need.kind, need.namespace, need.name].filter(Boolean).join('/'))
    const labels = Object.entries(
      Object.fromEntries(
        (need.labelSelector ?? '')
          .split(',')
          .filter(Boolean)
          .map((pair) => pair.split('=')),
      ),
    )
    const value = objects.filter(
      ({ kind, metadata }) =>
        kind === need.kind &&
        (need.name === undefined || metadata.name === need.name) &&
        (need.namespace === undefined || metadata.namespace === need.namespace) &&
        labels.every(([key, wanted]) => metadata.labels?.[key] === wanted),
    )
    return { ok: true, value }
  }
  const walk = whyApp(app, declared)
  let step = walk.next([])
  while (!step.done) step = walk.next(step.value.map(answer))
  return { ...step.value, asked }
}

const gitSource = { sourceRef: { kind: 'GitRepository', name: 'flux-system' } }
const git = (facts: FluxFacts = {}) =>
  fluxObject('flux-system', {
    kind: 'GitRepository',
    status: { ...facts.status, artifact: { revision: 'main@sha1:00' }, ...statusOf(facts) },
    ...facts,
  })
const statusOf = (facts: FluxFacts) =>
  facts.ready ? { conditions: [{ type: 'Ready', status: facts.ready, message: facts.message ?? 'no' }] } : {}
const ks = (name: string, facts: FluxFacts = {}) =>
  fluxObject(name, { ...facts, spec: { ...gitSource, ...facts.spec } })
const hr = (name: string, facts: FluxFacts = {}) =>
  fluxObject(name, {
    kind: 'HelmRelease',
    namespace: 'business',
    owner: 'odoo',
    ...facts,
    spec: { chartRef: { kind: 'OCIRepository', name: 'erp' }, ...facts.spec },
  })
const chart = (facts: FluxFacts = {}) =>
  fluxObject('erp', {
    kind: 'OCIRepository',
    namespace: 'business',
    ...facts,
    status: { artifact: { revision: '1.0.0' }, ...facts.status },
  })

const waiting: FluxFacts = { ready: 'False', reason: 'DependencyNotReady', message: "dependency 'x' is not ready" }
const installing: FluxFacts = { ready: 'Unknown', reason: 'Progressing', message: "Running 'install' action" }
const object = (
  apiVersion: string,
  kind: string,
  name: string,
  more: Partial<KubeObject> & { namespace?: string; labels?: Record<string, string> } = {},
): KubeObject => {
  const { namespace = 'business', labels = {}, ...rest } = more
  return { apiVersion, kind, metadata: { name, labels, ...(namespace ? { namespace } : {}) }, ...rest }
}
const releaseLabels = { 'helm.toolkit.fluxcd.io/name': 'erp', 'helm.toolkit.fluxcd.io/namespace': 'business' }
const deployment = (more: object = {}) =>
  object('apps/v1', 'Deployment', 'erp', {
    labels: releaseLabels,
    spec: { replicas: 1, selector: { matchLabels: { app: 'erp' } } },
    status: { readyReplicas: 0, ...more },
  })
const conditions = (...all: [type: string, status: string, message?: string][]) =>
  all.map(([type, status, message = '']) => ({ type, status, message, lastTransitionTime: '2026-11-30T10:00:00Z' }))
const pod = (spec: object, status: object) =>
  object('v1', 'Pod', 'erp-1', {
    labels: { app: 'erp' },
    spec: { nodeName: 'apps-w1', ...spec },
    status: {
      phase: 'Pending',
      conditions: conditions(['Ready', 'False', 'containers with unready status']),
      ...status,
    },
  })
const node = (ready: string) =>
  object('v1', 'Node', 'apps-w1', {
    namespace: '',
    status: { conditions: conditions(['Ready', ready, 'Kubelet stopped posting node status.']) },
  })
const external = (ready: string, store = 'onepassword') =>
  object('external-secrets.io/v1', 'ExternalSecret', 'erp', {
    labels: { 'kustomize.toolkit.fluxcd.io/name': 'odoo', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
    spec: { secretStoreRef: { kind: 'ClusterSecretStore', name: store }, target: { name: 'erp' } },
    status: { conditions: conditions(['Ready', ready, 'could not get secret data from provider']) },
  })
const store = (ready: string) =>
  object('external-secrets.io/v1', 'ClusterSecretStore', 'onepassword', {
    namespace: '',
    spec: {
      provider: {
        onepassword: {
          auth: {
            secretRef: {
              connectTokenSecretRef: { name: 'connect-token', namespace: 'external-secrets', key: 'token' },
            },
          },
        },
      },
    },
    status: { conditions: conditions(['Ready', ready, 'unable to validate store']) },
  })
const token = object('v1', 'Secret', 'connect-token', { namespace: 'external-secrets' })
const helmController = object('apps/v1', 'Deployment', 'helm-controller', {
  namespace: 'flux-system',
  status: { readyReplicas: 1 },
})
const erp = [helmController, ks('odoo'), hr('erp', installing), chart(), deployment(), git()]
const crashed = pod(
  {},
  {
    containerStatuses: [
      {
        name: 'main',
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
      },
    ],
  },
)
const needsSecret = { containers: [{ envFrom: [{ secretRef: { name: 'erp' } }] }] }

const cases: [
  what: string,
  objects: KubeObject[],
  expected: [kind: string, object: string, message?: string],
  machines?: Machines,
][] = [
  [
    'held',
    [ks('odoo', { suspend: true, annotations: noteOf({}) }), git()],
    ['suspended', 'Kustomization/flux-system/odoo', 'jane@desk'],
  ],
  [
    'HelmRelease held',
    [ks('odoo'), hr('erp', { suspend: true }), git()],
    ['suspended', 'HelmRelease/business/erp', 'unowned'],
  ],
  [
    'dependency gone',
    [ks('odoo', { ...waiting, spec: { dependsOn: [{ name: 'gone' }] } }), git()],
    ['dependency-missing', 'Kustomization/flux-system/gone'],
  ],
  [
    'cycle',
    [
      ks('odoo', { ...waiting, spec: { dependsOn: [{ name: 'b' }] } }),
      ks('b', { ...waiting, spec: { dependsOn: [{ name: 'odoo' }] } }),
      git(),
    ],
    ['dependency-cycle', 'Kustomization/flux-system/odoo'],
  ],
  [
    'dependency failed two levels down',
    [
      ks('odoo', { ...waiting, spec: { dependsOn: [{ name: 'b' }] } }),
      ks('b', { ...waiting, spec: { dependsOn: [{ name: 'c' }] } }),
      ks('c', { ready: 'False', reason: 'BuildFailed', message: 'no such file' }),
      git(),
    ],
    ['build-failed', 'Kustomization/flux-system/c', 'no such file'],
  ],
  [
    'source gone',
    [ks('odoo', { ready: 'False', reason: 'ArtifactFailed' })],
    ['source-missing', 'GitRepository/flux-system/flux-system'],
  ],
  [
    'source failed, though what ran still runs',
    [ks('odoo'), git({ ready: 'False', message: 'authentication required' })],
    ['source-failed', 'GitRepository/flux-system/flux-system', 'authentication required'],
  ],
  [
    'deploy key gone',
    [
      ks('odoo', { ready: 'False', reason: 'ArtifactFailed' }),
      git({ ready: 'False', spec: { secretRef: { name: 'deploy-key' } } }),
    ],
    ['secret-missing', 'Secret/flux-system/deploy-key'],
  ],
  [
    'settings gone',
    [
      ks('odoo', {
        ready: 'False',
        reason: 'BuildFailed',
        spec: { postBuild: { substituteFrom: [{ kind: 'ConfigMap', name: 'cluster-settings' }] } },
      }),
      git(),
    ],
    ['settings-missing', 'ConfigMap/flux-system/cluster-settings'],
  ],
  [
    'refused by the API server',
    [ks('odoo', { ready: 'False', reason: 'ReconciliationFailed', message: 'admission webhook denied' }), git()],
    ['apply-failed', 'Kustomization/flux-system/odoo', 'admission webhook denied'],
  ],
  [
    'nobody looks',
    [ks('odoo', { generation: 2, observedGeneration: 1 }), git()],
    ['controller-down', 'Deployment/flux-system/kustomize-controller'],
  ],
  [
    'chart gone',
    [
      ks('odoo'),
      hr('erp', { ready: 'False', reason: 'SourceNotReady' }),
      chart({ ready: 'False', message: '404', status: { artifact: undefined } }),
      git(),
    ],
    ['chart-failed', 'OCIRepository/business/erp'],
  ],
  [
    'values gone',
    [
      ks('odoo'),
      hr('erp', { ready: 'False', spec: { valuesFrom: [{ kind: 'Secret', name: 'erp-values' }] } }),
      chart(),
      git(),
    ],
    ['secret-missing', 'Secret/business/erp-values'],
  ],
  [
    'release failed by itself',
    [ks('odoo'), hr('erp', { ready: 'False', reason: 'UpgradeFailed', message: 'template: boom' }), chart(), git()],
    ['release-failed', 'HelmRelease/business/erp', 'template: boom'],
  ],
  [
    'quota',
    [
      helmController,
      ks('odoo'),
      hr('erp', installing),
      chart(),
      deployment({ conditions: conditions(['ReplicaFailure', 'True', 'exceeded quota']) }),
      git(),
    ],
    ['pods-refused', 'Deployment/business/erp', 'exceeded quota'],
  ],
  [
    'no node takes it',
    [...erp, pod({}, { conditions: conditions(['PodScheduled', 'False', '0/4 nodes are available']) })],
    ['pod-unschedulable', 'Pod/business/erp-1', '0/4 nodes'],
  ],
  [
    'volume pending',
    [
      ...erp,
      node('True'),
      object('v1', 'PersistentVolumeClaim', 'data', {
        spec: { storageClassName: 'ceph-block' },
        status: { phase: 'Pending' },
      }),
      pod(
        { volumes: [{ persistentVolumeClaim: { claimName: 'data' } }] },
        { conditions: conditions(['PodScheduled', 'False', 'unbound']) },
      ),
    ],
    ['volume-pending', 'PersistentVolumeClaim/business/data', 'ceph-block'],
  ],
  [
    'image',
    [
      ...erp,
      node('True'),
      pod(
        {},
        {
          containerStatuses: [
            { name: 'main', state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } } },
          ],
        },
      ),
    ],
    ['image-failed', 'Pod/business/erp-1', 'not found'],
  ],
  [
    'out of memory',
    [...erp, node('True'), crashed],
    ['container-crashed', 'Pod/business/erp-1', 'OOMKilled, exit code 137'],
  ],
  [
    'crashes though Flux says Ready',
    [ks('odoo'), hr('erp'), chart(), git(), deployment(), node('True'), crashed],
    ['container-crashed', 'Pod/business/erp-1'],
  ],
  [
    'secret of the pod that nobody makes',
    [...erp, node('True'), pod(needsSecret, {})],
    ['secret-missing', 'Secret/business/erp'],
  ],
  [
    'secret, store, its token',
    [...erp, node('True'), pod(needsSecret, {}), external('False'), store('False')],
    ['secret-missing', 'Secret/external-secrets/connect-token'],
  ],
  [
    'secret, store away',
    [...erp, node('True'), pod(needsSecret, {}), external('False'), store('False'), token],
    ['store-failed', 'ClusterSecretStore/onepassword', 'unable to validate store'],
  ],
  [
    'secret, no store',
    [...erp, node('True'), pod(needsSecret, {}), external('False')],
    ['store-missing', 'ClusterSecretStore/onepassword'],
  ],
  [
    'secret without its item',
    [...erp, node('True'), pod(needsSecret, {}), external('False'), store('True'), token],
    ['external-secret-failed', 'ExternalSecret/business/erp', 'could not get secret data'],
  ],
  [
    'node away, machine too',
    [...erp, node('Unknown'), pod({}, {})],
    ['node-not-ready', 'Node/apps-w1', 'connection refused'],
  ],
  [
    'kubelet stopped',
    [...erp, node('Unknown'), pod({}, {})],
    ['machine-service-down', 'Node/apps-w1', 'service kubelet does not run'],
    { 'apps-w1': { containerd: true, cri: true } },
  ],
  [
    'kubelet ill',
    [...erp, node('Unknown'), pod({}, {})],
    ['machine-service-down', 'Node/apps-w1', 'service kubelet is not healthy'],
    { 'apps-w1': { containerd: true, cri: true, kubelet: false } },
  ],
]

it.each(cases)('%s', (_what, objects, [kind, name, message = ''], machines) => {
  const { found } = whyIn(objects, 'odoo', false, machines)
  expect([found?.link.class, found?.link.object]).toEqual([kind, name])
  expect(found?.link.message).toContain(message)
  expect(found?.path.at(-1)).toBe(name)
  expect(fixFor(found?.link ?? { class: 'suspended', object: '', message: '', since: null }, 'apps')).not.toContain(
    'undefined',
  )
})

it('says nothing when nothing is broken, and asks for no more than that takes', () => {
  const healthy = [ks('odoo'), hr('erp'), chart(), git(), { ...deployment(), status: { readyReplicas: 1 } }, crashed]
  const { found, asked } = whyIn(healthy)
  expect(found).toBeUndefined()
  expect(asked.filter((one) => /Pod|Node|Secret$/.test(one) && !one.startsWith('External'))).toEqual([])
})

it('names what Flux is working on, where nothing is found', () => {
  const controller = object('apps/v1', 'Deployment', 'kustomize-controller', {
    namespace: 'flux-system',
    status: { readyReplicas: 1 },
  })
  const { found, pending } = whyIn([ks('odoo', { ready: 'Unknown', reason: 'Progressing' }), git(), controller])
  expect([found, pending.map(({ name }) => name)]).toEqual([undefined, ['odoo']])
})

it('looks above an application that Git has and the cluster does not', () => {
  const root = ks('flux-system', {
    ready: 'False',
    reason: 'BuildFailed',
    message: 'accumulating resources',
    status: {},
  })
  expect(whyIn([root, git()], 'new', true).found?.link).toMatchObject({
    class: 'build-failed',
    object: 'Kustomization/flux-system/flux-system',
  })
  expect(whyIn([ks('flux-system'), git()], 'new', true).found?.link.class).toBe('not-applied')
  expect(() => whyIn([ks('flux-system'), git()], 'new')).toThrowError(expect.objectContaining({ exitCode: 2 }))
})
