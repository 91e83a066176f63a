/**
 * The mirror pods of Talos' static pods, one set for each control plane (controllers/k8s/control_plane_static_pod.go,
 * v1.12.0). They are entries only: one API server, one controller manager and one scheduler serve all of them.
 */

import { clusterDocument } from '../control-plane/configuration.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Machine, MachineConfig } from '../types.ts'

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
          'talos.dev/config-version': '1',
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
