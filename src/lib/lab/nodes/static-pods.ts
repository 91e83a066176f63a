/**
 * The mirror pods of Talos' static pods, one set for each control plane (controllers/k8s/control_plane_static_pod.go,
 * v1.12.0). They are entries only: one API server, one controller manager and one scheduler serve all of them.
 */

import type { KubeObject } from '../../types.ts'
import type { LabApi } from '../api.ts'
import { clusterDocument } from '../control-plane/configuration.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Machine, MachineConfig } from '../types.ts'

const configVersion = 'talos.dev/config-version'

const components = [
  { id: 'kube-apiserver', field: 'apiServer', cpu: '200m', memory: '512Mi' },
  { id: 'kube-controller-manager', field: 'controllerManager', cpu: '50m', memory: '256Mi' },
  { id: 'kube-scheduler', field: 'scheduler', cpu: '10m', memory: '64Mi' },
] as const

/** @param nodeUid owner of mirror pods, so that they go with the node */
export function staticPods(machine: Machine, config: MachineConfig, nodeUid: string): Manifest[] {
  const fields = clusterDocument(config) as Record<string, { image?: string } | undefined>
  return components.map(({ id, field, cpu, memory }) => {
    const image = fields[field]?.image ?? `registry.k8s.io/${id}:${config.kubernetesVersion}`
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${id}-${config.hostname}`,
        namespace: 'kube-system',
        labels: {
          tier: 'control-plane',
          'k8s-app': id,
          component: id,
          'app.kubernetes.io/name': id,
          'app.kubernetes.io/version': image.slice(image.lastIndexOf(':') + 1).replace(/^v/, ''),
          'app.kubernetes.io/component': 'control-plane',
          'app.kubernetes.io/managed-by': 'Talos',
        },
        annotations: {
          'kubernetes.io/config.source': 'http',
          'kubernetes.io/config.hash': machine.bootId.replaceAll('-', ''),
          'kubernetes.io/config.mirror': machine.bootId.replaceAll('-', ''),
          [configVersion]: String(machine.configVersion?.(id) ?? 1),
        },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: config.hostname, uid: nodeUid, controller: true }],
      },
      spec: {
        nodeName: config.hostname,
        hostNetwork: true,
        priorityClassName: 'system-cluster-critical',
        tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
        containers: [{ name: id, image, command: [`/usr/local/bin/${id}`], resources: { requests: { cpu, memory } } }],
      },
    }
  })
}

const imageOf = ({ spec }: Manifest | KubeObject) =>
  (spec as { containers?: { image: string }[] } | undefined)?.containers?.[0]?.image

const versionOf = (annotations: unknown) => (annotations as Record<string, string> | undefined)?.[configVersion] ?? '1'

/**
 * Mirror pods that are as the machine has them now. A new version is a new container in the same pod here; a kubelet would
 * make a new pod of the same name. The API server lets nobody change what marks a pod as a mirror.
 */
export async function writeStaticPods(api: LabApi, pods: Manifest[]): Promise<void> {
  const listed = await api.reads.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' })
  const there = new Map(listed.ok ? listed.value.map((pod) => [pod.metadata.name, pod]) : [])
  for (const pod of pods) {
    const { name, namespace, labels, annotations } = pod.metadata
    const known = there.get(name)
    const version = versionOf(annotations)
    if (!known) await api.create(pod)
    else if (versionOf(known.metadata.annotations) !== version || imageOf(known) !== imageOf(pod)) {
      const containers = ((known.spec?.containers ?? []) as object[]).map((each) => ({ ...each, image: imageOf(pod) }))
      await api.merge({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: String(namespace), labels, annotations: { [configVersion]: version } },
        spec: { containers },
      })
    }
  }
}
