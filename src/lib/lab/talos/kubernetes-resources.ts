/**
 * The COSI resources of Kubernetes' components on a machine, as its config has them (controllers/k8s, v1.12.0). Their
 * versions are what `upgrade-k8s` and the static pods' annotation `talos.dev/config-version` speak of.
 */
import { stringify } from 'yaml'
import { bootstrapManifests } from '../control-plane/bootstrap-manifests.ts'
import type { MachineConfig } from '../types.ts'
import { valueAt } from './machine-config.ts'
import type { Resource, ResourceStore } from './resource-store.ts'

/** Static pods by id: the resource that describes one, and its part of the config. */
export const components = {
  'kube-apiserver': { type: 'APIServerConfigs.kubernetes.talos.dev', field: 'apiServer' },
  'kube-controller-manager': { type: 'ControllerManagerConfigs.kubernetes.talos.dev', field: 'controllerManager' },
  'kube-scheduler': { type: 'SchedulerConfigs.kubernetes.talos.dev', field: 'scheduler' },
} as const

export type Component = keyof typeof components
export const controlPlaneNamespace = 'controlplane'

/** Version of the resource that a static pod is made from; it begins at 1 with every boot. */
export function componentVersion(store: ResourceStore, id: string): number {
  const known = components[id as Component]
  return (known && store.get(controlPlaneNamespace, known.type, id)?.version) ?? 1
}

interface ComponentFields {
  image?: string
  extraArgs?: Record<string, string | string[]>
}

export function kubernetesResources(config: MachineConfig): Resource[] {
  return [
    resource('k8s', 'KubeletSpecs.kubernetes.talos.dev', 'kubelet', kubeletSpec(config)),
    ...(config.role === 'controlplane' ? controlPlaneResources(config) : []),
  ]
}

/** Rendering costs more than anything else of a machine's resources, and a config never changes once it is parsed. */
const rendered = new WeakMap<MachineConfig, Resource[]>()

function controlPlaneResources(config: MachineConfig): Resource[] {
  const known = rendered.get(config)
  if (known) return known
  const ids = Object.keys(components) as Component[]
  const made = [
    ...ids.map((id) => resource(controlPlaneNamespace, components[id].type, id, componentSpec(config, id))),
    ...ids.map((id) => resource('k8s', 'StaticPods.kubernetes.talos.dev', id, staticPod(config, id))),
    resource(controlPlaneNamespace, 'Manifests.kubernetes.talos.dev', 'lab-bootstrap', bootstrapManifests(config)),
  ]
  rendered.set(config, made)
  return made
}

export function componentImage(config: MachineConfig, id: Component): string {
  const { image } = componentFields(config, id)
  return image ?? `registry.k8s.io/${id}:${config.kubernetesVersion}`
}

function componentFields(config: MachineConfig, id: Component): ComponentFields {
  return (valueAt(config.document, `cluster.${components[id].field}`) ?? {}) as ComponentFields
}

function componentSpec(config: MachineConfig, id: Component): object {
  const { extraArgs = {} } = componentFields(config, id)
  const args = Object.fromEntries(Object.entries(extraArgs).map(([name, value]) => [name, [value].flat().join(',')]))
  const shared = { image: componentImage(config, id), extraArgs: args }
  switch (id) {
    case 'kube-apiserver':
      return {
        ...shared,
        controlPlaneEndpoint: config.endpoint,
        localPort: 6443,
        serviceCIDRs: config.serviceSubnets,
      }
    case 'kube-controller-manager':
      return { enabled: true, ...shared, podCIDRs: config.podSubnets, serviceCIDRs: config.serviceSubnets }
    default:
      return { enabled: true, ...shared }
  }
}

function staticPod(config: MachineConfig, id: Component): object {
  const { extraArgs = {} } = componentFields(config, id)
  const image = componentImage(config, id)
  const command = [`/usr/local/bin/${id}`, ...flags(extraArgs)]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: id,
      namespace: 'kube-system',
      labels: { 'k8s-app': id, 'app.kubernetes.io/version': image.slice(image.lastIndexOf(':') + 1) },
    },
    spec: { containers: [{ name: id, image, command }] },
  }
}

function kubeletSpec(config: MachineConfig): object {
  const kubelet = (valueAt(config.document, 'machine.kubelet') ?? {}) as ComponentFields
  return {
    image: kubelet.image ?? '',
    args: flags(kubelet.extraArgs ?? {}),
    expectedNodename: config.hostname,
  }
}

function flags(args: Record<string, string | string[]>): string[] {
  return Object.entries(args).flatMap(([name, value]) => [value].flat().map((one) => `--${name}=${one}`))
}

function resource(namespace: string, type: string, id: string, spec: unknown): Resource {
  return { namespace, type, id, yaml: stringify(spec, { lineWidth: 0 }) }
}
