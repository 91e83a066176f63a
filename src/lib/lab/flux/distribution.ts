/** What a Flux distribution consists of: components and their versions, and the objects that flux-operator makes of them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fluxNetworkPolicies } from '../../repo/policy/flux.ts'
import { labDataDir } from '../charts/record.ts'
import type { Manifest } from '../kube/writer.ts'

/** `spec` of a FluxInstance (fluxcd.controlplane.io/v1), as far as the lab acts on it. */
export interface FluxInstanceSpec {
  distribution: { version: string; registry: string; artifact?: string }
  components?: string[]
  cluster?: { size?: string; domain?: string; networkPolicy?: boolean }
  sync?: {
    name?: string
    kind: string
    url: string
    ref: string
    path: string
    interval?: string
    pullSecret?: string
  }
  kustomize?: { patches?: unknown[] }
  commonMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  wait?: boolean
}

export interface Component {
  name: string
  image: string
  tag: string
  repository: string
}

const defaultComponents = ['source-controller', 'kustomize-controller', 'helm-controller', 'notification-controller']

/**
 * The version and the components' images that a FluxInstance asks for. `2.x` and `2.9.x` mean the newest known.
 * Throws in flux-operator's words when it knows no such version.
 */
export async function resolveDistribution(
  spec: FluxInstanceSpec,
): Promise<{ version: string; components: Component[] }> {
  const text = await readFile(join(labDataDir(), 'flux/distributions.json'), 'utf8')
  const { versions } = JSON.parse(text) as { versions: Record<string, Record<string, string>> }
  const wanted = spec.distribution.version.replace(/^v/, '')
  const pattern = new RegExp(`^v${wanted.replaceAll('.', '\\.').replace(/(\\\.)?[x*]$/, '(\\..*)?')}$`)
  const version = Object.keys(versions)
    .filter((candidate) => pattern.test(candidate))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1)
  if (!version) throw new Error(`no match found for semver: ${spec.distribution.version}`)
  const components = (spec.components ?? defaultComponents).map((name) => {
    const tag = versions[version]?.[name]
    if (!tag) throw new Error(`component ${name} is not part of Flux ${version}`)
    const repository = `${spec.distribution.registry}/${name}`
    return { name, tag, repository, image: `${repository}:${tag}` }
  })
  return { version, components }
}

const partOf = { 'app.kubernetes.io/part-of': 'flux' }
const noPrivileges = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

/** Every object of the distribution but its CRDs, before the instance's own patches. */
export function distributionObjects(namespace: string, spec: FluxInstanceSpec, components: Component[]): Manifest[] {
  return [
    namespaceObject(namespace),
    ...accessObjects(namespace, components),
    ...(spec.cluster?.networkPolicy === false ? [] : fluxNetworkPolicies(namespace).map((one) => ({ ...one }))),
    ...components.flatMap((component) => componentObjects(namespace, spec, component)),
    ...(spec.sync ? syncObjects(namespace, spec.sync) : []),
  ]
}

function namespaceObject(name: string): Manifest {
  const labels = {
    'pod-security.kubernetes.io/warn': 'restricted',
    'pod-security.kubernetes.io/warn-version': 'latest',
  }
  const annotations = { 'fluxcd.controlplane.io/prune': 'disabled' }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels, annotations } }
}

function accessObjects(namespace: string, components: Component[]): Manifest[] {
  const accounts = components.map(({ name }) => ({ kind: 'ServiceAccount', name, namespace }))
  const deployers = accounts.filter(({ name }) => name === 'kustomize-controller' || name === 'helm-controller')
  const rbac = 'rbac.authorization.k8s.io'
  const binding = (name: string, role: string, subjects: unknown[]): Manifest => ({
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
    subjects,
  })
  const all = ['*']
  const rule = (apiGroups: string[], resources: string[], verbs: string[]) => ({ apiGroups, resources, verbs })
  const crdController: Manifest = {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: `crd-controller-${namespace}` },
    rules: [
      ...['source', 'kustomize', 'helm', 'notification', 'image'].map((group) =>
        rule([`${group}.toolkit.fluxcd.io`], all, all),
      ),
      rule(['source.extensions.fluxcd.io'], all, all),
      rule([''], ['namespaces', 'secrets', 'serviceaccounts'], ['get', 'list', 'watch']),
      rule([''], ['configmaps', 'configmaps/status'], ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']),
      rule([''], ['events'], ['create', 'patch']),
      rule([''], ['serviceaccounts/token'], ['create']),
      rule(['coordination.k8s.io'], ['leases'], ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']),
    ],
  }
  return [
    crdController,
    binding(`crd-controller-${namespace}`, `crd-controller-${namespace}`, accounts),
    binding(`cluster-reconciler-${namespace}`, 'cluster-admin', deployers),
    {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: `critical-pods-${namespace}`, namespace },
      spec: {
        hard: { pods: '1000' },
        scopeSelector: {
          matchExpressions: [
            {
              operator: 'In',
              scopeName: 'PriorityClass',
              values: ['system-node-critical', 'system-cluster-critical'],
            },
          ],
        },
      },
    },
  ]
}

/** Flags and resources of the size profiles (flux-operator, internal/builder/profiles.go). */
const profiles: Record<string, { concurrent: number; requeue: string; memory: string; cpu: string }> = {
  small: { concurrent: 5, requeue: '10s', cpu: '1000m', memory: '512Mi' },
  medium: { concurrent: 10, requeue: '5s', cpu: '2000m', memory: '1Gi' },
  large: { concurrent: 20, requeue: '5s', cpu: '3000m', memory: '3Gi' },
}

function componentObjects(namespace: string, spec: FluxInstanceSpec, component: Component): Manifest[] {
  const { name } = component
  const labels = { 'app.kubernetes.io/component': name, ...partOf, 'control-plane': 'controller' }
  const service = (serviceName: string, targetPort: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: serviceName, namespace, labels },
    spec: {
      type: 'ClusterIP',
      selector: { app: name },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort }],
    },
  })
  const services: Record<string, Manifest[]> = {
    'source-controller': [service(name, 'http')],
    'notification-controller': [service(name, 'http'), service('webhook-receiver', 'http-webhook')],
  }
  const deployment: Manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      ...(name === 'source-controller' ? { strategy: { type: 'Recreate' } } : {}),
      template: {
        metadata: {
          labels: { app: name, 'app.kubernetes.io/component': name, ...partOf },
          annotations: { 'prometheus.io/port': '8080', 'prometheus.io/scrape': 'true' },
        },
        spec: controllerPod(spec, component),
      },
    },
  }
  const metadata = { name, namespace, labels }
  return [{ apiVersion: 'v1', kind: 'ServiceAccount', metadata }, ...(services[name] ?? []), deployment]
}

function controllerPod(spec: FluxInstanceSpec, { name, image }: Component) {
  const profile = profiles[spec.cluster?.size ?? '']
  const deploys = name === 'kustomize-controller' || name === 'helm-controller'
  const domain = spec.cluster?.domain || 'cluster.local'
  const ports = {
    'source-controller': [{ name: 'http', containerPort: 9090 }],
    'notification-controller': [
      { name: 'http', containerPort: 9090 },
      { name: 'http-webhook', containerPort: 9292 },
    ],
  }[name]
  return {
    serviceAccountName: name,
    priorityClassName: name === 'notification-controller' ? '' : 'system-cluster-critical',
    securityContext: { fsGroup: 1337 },
    terminationGracePeriodSeconds: deploys ? 60 : 10,
    containers: [
      {
        name: 'manager',
        image,
        args: [
          ...(name === 'notification-controller'
            ? []
            : [`--events-addr=http://notification-controller.$(RUNTIME_NAMESPACE).svc.${domain}./`]),
          '--watch-all-namespaces=true',
          '--log-level=info',
          '--log-encoding=json',
          '--enable-leader-election',
          ...(profile && deploys
            ? [`--concurrent=${profile.concurrent}`, `--requeue-dependency=${profile.requeue}`]
            : []),
        ],
        env: [{ name: 'RUNTIME_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }],
        ports: [
          ...(ports ?? []),
          { name: 'http-prom', containerPort: 8080 },
          { name: 'healthz', containerPort: 9440 },
        ].map((port) => ({ ...port, protocol: 'TCP' })),
        resources: {
          requests: { cpu: name === 'source-controller' ? '50m' : '100m', memory: profile ? '128Mi' : '64Mi' },
          limits: { cpu: profile?.cpu ?? '1000m', memory: profile?.memory ?? '1Gi' },
        },
        securityContext: noPrivileges,
        volumeMounts: [{ name: 'temp', mountPath: '/tmp' }],
      },
    ],
    volumes: [{ name: 'temp', emptyDir: {} }],
  }
}

function syncObjects(namespace: string, sync: NonNullable<FluxInstanceSpec['sync']>): Manifest[] {
  const metadata = { name: sync.name || namespace, namespace }
  const secretRef = sync.pullSecret ? { secretRef: { name: sync.pullSecret } } : {}
  const ref = sync.kind === 'OCIRepository' ? { tag: sync.ref } : { name: sync.ref }
  return [
    {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: sync.kind,
      metadata,
      spec: { interval: sync.interval ?? '1m0s', url: sync.url, ref, ...secretRef },
    },
    {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata,
      spec: {
        interval: '10m0s',
        path: sync.path,
        prune: true,
        sourceRef: { kind: sync.kind, name: metadata.name },
      },
    },
  ]
}
