/** What the VictoriaMetrics operator makes of its kinds (operator v0.69, internal/controller/operator/factory). */
import type { KubeObject } from '../../types.ts'
import type { Manifest } from '../kube/writer.ts'
import { ownerReference } from './operator.ts'

interface ComponentSpec {
  image?: { repository?: string; tag?: string }
  port?: string
  podDisruptionBudget?: object
  priorityClassName?: string
  replicaCount?: number
  resources?: object
  statefulMode?: boolean
  statefulStorage?: ClaimSource
  /** A claim's spec for VMSingle, for VMAlertmanager where a claim comes from. */
  storage?: ClaimSource & { resources?: object }
  useStrictSecurity?: boolean
}

interface ClaimSource {
  volumeClaimTemplate?: { spec?: object }
}

interface Component {
  prefix: string
  image: string
  port: string
  /** Reads its configuration anew when a second container tells it to. */
  reloads: boolean
  headless?: boolean
  /** Where a StatefulSet's claims are described, and what they are called. */
  claims?: (spec: ComponentSpec, name: string) => { name: string; spec: object } | undefined
  stateful?: (spec: ComponentSpec) => boolean
}

const components: Record<string, Component> = {
  VMSingle: { prefix: 'vmsingle', image: 'quay.io/victoriametrics/victoria-metrics', port: '8428', reloads: false },
  VMAgent: {
    prefix: 'vmagent',
    image: 'quay.io/victoriametrics/vmagent',
    port: '8429',
    reloads: true,
    stateful: ({ statefulMode }) => statefulMode === true,
    claims: ({ statefulStorage }) => claimOf('persistent-queue-data', statefulStorage),
  },
  VMAlert: { prefix: 'vmalert', image: 'quay.io/victoriametrics/vmalert', port: '8080', reloads: true },
  VMAlertmanager: {
    prefix: 'vmalertmanager',
    image: 'quay.io/prometheus/alertmanager',
    port: '9093',
    reloads: true,
    headless: true,
    stateful: () => true,
    claims: ({ storage }, name) => claimOf(`${name}-db`, storage),
  },
  VMAuth: { prefix: 'vmauth', image: 'quay.io/victoriametrics/vmauth', port: '8427', reloads: true },
}

export const componentKinds = Object.keys(components)

const claimOf = (name: string, source?: ClaimSource) =>
  source?.volumeClaimTemplate?.spec ? { name, spec: source.volumeClaimTemplate.spec } : undefined

/** `vmsingle-<name>`, as its Service, its workload and its ServiceAccount are called. */
export function prefixedName({ kind, metadata }: KubeObject): string {
  return `${components[kind]?.prefix}-${metadata.name}`
}

/** The workload, its Service and what they need; the workload comes last. */
export function componentObjects(resource: KubeObject): Manifest[] {
  const component = components[resource.kind]
  if (!component) throw new Error(`nobody plays ${resource.kind}`)
  const spec = (resource.spec ?? {}) as ComponentSpec
  const name = prefixedName(resource)
  const labels = {
    'app.kubernetes.io/component': 'monitoring',
    'app.kubernetes.io/instance': resource.metadata.name,
    'app.kubernetes.io/name': component.prefix,
    'managed-by': 'vm-operator',
  }
  const metadata = {
    name,
    namespace: resource.metadata.namespace ?? '',
    labels,
    ownerReferences: [ownerReference(resource as unknown as Manifest)],
  }
  const port = Number(spec.port ?? component.port)
  const service: Manifest = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      ...(component.headless ? { clusterIP: 'None' } : {}),
      selector: labels,
      ports: [{ name: 'http', port, targetPort: 'http', protocol: 'TCP' }],
    },
  }
  const account: Manifest = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  const budget: Manifest = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata,
    spec: { ...spec.podDisruptionBudget, selector: { matchLabels: labels } },
  }
  return [
    account,
    service,
    ...(spec.podDisruptionBudget ? [budget] : []),
    ...(resource.kind === 'VMSingle' && spec.storage ? [ownClaim(metadata, spec.storage)] : []),
    workload(component, spec, metadata, port),
  ]
}

function ownClaim(metadata: Manifest['metadata'], storage: object): Manifest {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: { ...storage } }
}

function workload(component: Component, spec: ComponentSpec, metadata: Manifest['metadata'], port: number): Manifest {
  const labels = (metadata.labels ?? {}) as Record<string, string>
  const stateful = component.stateful?.(spec) ?? false
  const claim = stateful ? component.claims?.(spec, metadata.name) : undefined
  const owned = component.prefix === 'vmsingle' && spec.storage !== undefined
  const volume = claim?.name ?? (owned ? 'data' : undefined)
  const container = {
    name: component.prefix === 'vmalertmanager' ? 'alertmanager' : component.prefix,
    image: `${spec.image?.repository ?? component.image}:${spec.image?.tag ?? 'latest'}`,
    ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }],
    resources: spec.resources ?? {},
    ...(volume ? { volumeMounts: [{ name: volume, mountPath: '/data' }] } : {}),
  }
  const reloader = {
    name: 'config-reloader',
    image: 'quay.io/victoriametrics/operator:config-reloader',
    resources: { requests: { cpu: '10m', memory: '25Mi' } },
  }
  const strict = spec.useStrictSecurity === true
  const containers = [container, ...(component.reloads ? [reloader] : [])].map((each) => ({
    ...each,
    ...(strict ? { securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } } : {}),
  }))
  const replicas = spec.replicaCount ?? 1
  return {
    apiVersion: 'apps/v1',
    kind: stateful ? 'StatefulSet' : 'Deployment',
    metadata,
    spec: {
      replicas,
      selector: { matchLabels: labels },
      ...(stateful ? { serviceName: metadata.name, podManagementPolicy: 'Parallel' } : {}),
      // Of its own accord it would begin a second pod on a volume that one node has.
      ...(owned ? { strategy: { type: 'Recreate' } } : {}),
      ...(claim
        ? {
            volumeClaimTemplates: [
              { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: claim.name }, spec: claim.spec },
            ],
          }
        : {}),
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: metadata.name,
          ...(spec.priorityClassName ? { priorityClassName: spec.priorityClassName } : {}),
          ...(strict
            ? { securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } } }
            : {}),
          containers,
          ...(owned ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: metadata.name } }] } : {}),
        },
      },
    },
  }
}
