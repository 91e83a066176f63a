/** Dragonfly's operator: a StatefulSet, its Service and budget for each Dragonfly; one pod of it is the master. No data, no replication. */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { isTrue, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { type Operator, ownerReference, startOperator } from './operator.ts'

const apiVersion = 'dragonflydb.io/v1alpha1'
const fieldManager = 'dragonfly-operator'

interface Spec {
  replicas?: number
  image?: string
  args?: string[]
  resources?: object
  priorityClassName?: string
  podSecurityContext?: object
  containerSecurityContext?: object
  topologySpreadConstraints?: object[]
}

export function startDragonfly(lab: Lab, view: ClusterView): Operator {
  const operator = startOperator(lab, view, {
    name: fieldManager,
    pod: { 'app.kubernetes.io/name': 'dragonfly-operator' },
    kinds: [{ apiVersion, kind: 'Dragonfly', reconcile }],
  })
  const end = view.onPods(() => operator.again())
  const made = new Map<string, string>()

  async function reconcile(dragonfly: KubeObject): Promise<undefined> {
    const { name, namespace, uid, generation } = dragonfly.metadata
    const version = `${uid} ${generation}`
    const key = `${namespace}/${name}`
    if (made.get(key) !== version) {
      for (const object of workload(dragonfly)) await view.writer().apply(object, fieldManager)
      made.set(key, version)
    }
    const pods = view
      .runningPods()
      .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.app === name)
      .filter((pod) => isTrue(pod, 'Ready'))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const master = pods.find(({ metadata }) => metadata.labels?.role === 'master') ?? pods[0]
    for (const pod of pods) {
      const role = pod === master ? 'master' : 'replica'
      if (pod.metadata.labels?.role !== role) await view.writer().patch(pod, { metadata: { labels: { role } } })
    }
    const complete = pods.length === ((dragonfly.spec as Spec).replicas ?? 1)
    const status = { phase: master && complete ? 'Ready' : master ? 'Configuring' : 'ResourcesCreated' }
    if (!statusHolds(dragonfly, status)) await view.writer().patchStatus(dragonfly, status)
    return undefined
  }

  return {
    ...operator,
    stop() {
      end()
      operator.stop()
    },
  }
}

/** As dragonfly-operator v1.5 makes them (internal/resources/resources.go). */
function workload(dragonfly: KubeObject): Manifest[] {
  const { name, namespace = '' } = dragonfly.metadata
  const spec = dragonfly.spec as Spec
  const labels = { app: name, 'app.kubernetes.io/name': 'dragonfly', 'app.kubernetes.io/part-of': 'dragonfly' }
  const metadata = { name, namespace, labels, ownerReferences: [ownerReference(dragonfly as unknown as Manifest)] }
  const { replicas = 1, image = 'docker.dragonflydb.io/dragonflydb/dragonfly:v1.37.0' } = spec
  const statefulSet: Manifest = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata,
    spec: {
      replicas,
      serviceName: name,
      selector: { matchLabels: labels },
      updateStrategy: { type: 'OnDelete' },
      template: {
        metadata: { labels },
        spec: {
          ...(spec.podSecurityContext ? { securityContext: spec.podSecurityContext } : {}),
          ...(spec.priorityClassName ? { priorityClassName: spec.priorityClassName } : {}),
          ...(spec.topologySpreadConstraints ? { topologySpreadConstraints: spec.topologySpreadConstraints } : {}),
          containers: [
            {
              name: 'dragonfly',
              image,
              args: spec.args ?? [],
              ports: [
                { name: 'redis', containerPort: 6379, protocol: 'TCP' },
                { name: 'admin', containerPort: 9999, protocol: 'TCP' },
              ],
              resources: spec.resources ?? {},
              ...(spec.containerSecurityContext ? { securityContext: spec.containerSecurityContext } : {}),
            },
          ],
        },
      },
    },
  }
  const service: Manifest = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      selector: { app: name, 'app.kubernetes.io/name': 'dragonfly', role: 'master' },
      ports: [{ name: 'redis', port: 6379, targetPort: 6379, protocol: 'TCP' }],
    },
  }
  const budget: Manifest = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata,
    spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
  }
  return [statefulSet, service, ...(replicas > 1 ? [budget] : [])]
}
