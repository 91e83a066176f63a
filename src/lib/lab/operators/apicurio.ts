/** Apicurio's operator 3.2: a registry becomes Deployments of its API and its console, with a Service each. No registry runs. */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { isTrue, nextConditions, now, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { createKeeper, type Operator, ownerReference, ready, startOperator } from './operator.ts'

const apiVersion = 'registry.apicur.io/v1'
const fieldManager = 'apicurio-registry-operator'

interface Component {
  enabled?: boolean
  replicas?: number
  podTemplateSpec?: {
    metadata?: { labels?: Record<string, string> }
    spec?: { containers?: { name?: string }[]; [key: string]: unknown }
  }
}

export function startApicurio(lab: Lab, view: ClusterView): Operator {
  const keeper = createKeeper(view, fieldManager)
  const operator = startOperator(lab, view, {
    name: 'apicurio',
    pod: { 'app.kubernetes.io/name': 'apicurio-registry-operator' },
    kinds: [{ apiVersion, kind: 'ApicurioRegistry3', reconcile }],
    onStart: keeper.forget,
  })
  const labelSelector = 'app.kubernetes.io/managed-by=apicurio-registry-operator'
  const deployments = operator.follow({ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector })

  async function reconcile(registry: KubeObject): Promise<undefined> {
    const parts = Object.entries((registry.spec ?? {}) as Record<string, Component>).filter(
      ([part, { enabled = true }]) => part === 'app' || (part === 'ui' && enabled),
    )
    for (const [part, component] of parts)
      for (const object of objectsOf(registry, part, component)) await keeper.keep(object)
    const away = parts
      .map(([part]) => deploymentName(registry, part))
      .filter((name) => !deployments.list.some((one) => one.metadata.name === name && isTrue(one, 'Available')))
    const verdict =
      away.length === 0
        ? ready('True', 'ActiveDeploymentsAvailable', 'All active Deployments are available.')
        : ready(
            'False',
            'ActiveDeploymentUnavailable',
            `Some active Deployments are not available: ${away.join(', ')}.`,
          )
    const before = (registry.status?.conditions ?? []) as { message?: string; lastUpdateTime?: string }[]
    const same = before.find(({ message }) => message === verdict.message)
    const conditions = nextConditions(registry, [verdict]).map(({ observedGeneration: _, ...rest }) => ({
      ...rest,
      lastUpdateTime: same?.lastUpdateTime ?? now(),
    }))
    const status = { conditions, observedGeneration: registry.metadata.generation }
    if (!statusHolds(registry, status)) await view.writer().patchStatus(registry, status)
    return undefined
  }

  return operator
}

const deploymentName = ({ metadata }: KubeObject, part: string) => `${metadata.name}-${part}-deployment`

/** ResourceFactory of the operator: names, labels and ports. */
function objectsOf(registry: KubeObject, part: string, { replicas = 1, podTemplateSpec = {} }: Component): Manifest[] {
  const { name, namespace = '' } = registry.metadata
  const selector = {
    app: name,
    'app.kubernetes.io/name': 'apicurio-registry',
    'app.kubernetes.io/component': part,
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/part-of': 'apicurio-registry',
  }
  const labels = { ...selector, 'app.kubernetes.io/managed-by': 'apicurio-registry-operator' }
  const metadata = { namespace, labels, ownerReferences: [ownerReference(registry as unknown as Manifest)] }
  const { containers = [], ...rest } = podTemplateSpec.spec ?? {}
  const container = `apicurio-registry-${part}`
  const ports = [
    { name: 'http', containerPort: 8080, protocol: 'TCP' },
    ...(part === 'app' ? [{ name: 'management', containerPort: 9000, protocol: 'TCP' }] : []),
  ]
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: `${name}-${part}-service` },
      spec: { selector, ports: [{ name: 'http', port: 8080, targetPort: 'http', protocol: 'TCP' }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, name: deploymentName(registry, part) },
      spec: {
        replicas,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: { ...podTemplateSpec.metadata?.labels, ...labels } },
          spec: {
            ...rest,
            containers: [
              {
                image: `quay.io/apicurio/apicurio-registry${part === 'ui' ? '-ui' : ''}:3.2.3`,
                ports,
                readinessProbe: {
                  httpGet: {
                    path: part === 'app' ? '/health/ready' : '/config.js',
                    port: part === 'app' ? 9000 : 8080,
                  },
                },
                ...containers.find((each) => each.name === container),
                name: container,
              },
            ],
          },
        },
      },
    },
  ]
}
