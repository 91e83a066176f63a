/**
 * The Node that a kubelet on Talos registers (controllers/k8s/kubelet_spec.go, node_label_spec.go, node_taint_spec.go,
 * v1.12.0). What changes with every boot stands in annotations, from which the Stage in lab/stages/node.yaml writes the
 * status; kwok keeps the lease alive as long as the power label stands.
 */
import { powerLabel } from '../control-plane/components.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Machine, MachineConfig } from '../types.ts'

const prefix = 'lab.k8sops'
/** Counts what the kubelet reports: the Stage acts once for each value. */
export const generationAnnotation = `${prefix}/gen`
export const readyAnnotation = `${prefix}/ready`

/** Kernel of the Talos 1.12 line; the patch releases differ in the last number only. */
const kernelVersion = '6.18.1-talos'
const containerdVersion = 'containerd://2.1.6'

/** What `kubectl describe node` says until a CNI has written its configuration. */
export const cniMessage =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized'

const nodeRef = (name: string): Manifest => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } })

/** Everything about the node that a boot may change, as a merge patch. */
export function nodeState(machine: Machine, config: MachineConfig, ready: boolean): Manifest {
  return {
    ...nodeRef(config.hostname),
    metadata: {
      name: config.hostname,
      labels: { ...nodeLabels(config), [powerLabel]: 'on' },
      annotations: {
        // kubelet's default; without it the attach-detach controller leaves the node's volumes alone.
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
        // Different for every report, and in order for a reader.
        [generationAnnotation]: String(Date.now()),
        [readyAnnotation]: ready ? 'True' : 'False',
        [`${prefix}/message`]: ready ? 'kubelet is posting ready status' : cniMessage,
        [`${prefix}/ip`]: machine.spec.nodeAddress,
        [`${prefix}/boot-id`]: machine.bootId,
        [`${prefix}/kernel`]: kernelVersion,
        [`${prefix}/os-image`]: `Talos (${machine.version})`,
        [`${prefix}/kubelet`]: config.kubernetesVersion,
        [`${prefix}/containerd`]: containerdVersion,
      },
    },
  }
}

/** The Node as it is created: with the taints that a kubelet registers with. */
export function newNode(machine: Machine, config: MachineConfig, ready: boolean): Manifest {
  return { ...nodeState(machine, config, ready), spec: { taints: nodeTaints(config) } }
}

/** Takes the node from kwok: its lease runs out, and the controller manager notices. */
export function powerOff(name: string): Manifest {
  return { ...nodeRef(name), metadata: { name, labels: { [powerLabel]: null } } }
}

/** The disk was wiped, and with it what a CNI had left there. */
export function withoutCni(name: string): Manifest {
  return { ...nodeRef(name), metadata: { name, annotations: { [readyAnnotation]: 'False' } } }
}

function nodeLabels(config: MachineConfig): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/hostname': config.hostname,
    'kubernetes.io/os': 'linux',
    ...(config.role === 'controlplane' ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
    ...machineFields(config).nodeLabels,
  }
}

interface Taint {
  key: string
  value?: string
  effect: string
}

function nodeTaints(config: MachineConfig): Taint[] {
  const configured = Object.entries(machineFields(config).nodeTaints ?? {}).map(([key, text]): Taint => {
    // `value:effect` or `effect`
    const at = text.lastIndexOf(':')
    return at < 0 ? { key, effect: text } : { key, value: text.slice(0, at), effect: text.slice(at + 1) }
  })
  const cluster = (config.document.cluster ?? {}) as { allowSchedulingOnControlPlanes?: boolean }
  const dedicated = config.role === 'controlplane' && cluster.allowSchedulingOnControlPlanes !== true
  return dedicated
    ? [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }, ...configured]
    : configured
}

interface MachineFields {
  nodeLabels?: Record<string, string>
  nodeTaints?: Record<string, string>
  kubelet?: { extraArgs?: Record<string, string>; extraConfig?: Record<string, unknown> }
}

export function machineFields(config: MachineConfig): MachineFields {
  return (config.document.machine ?? {}) as MachineFields
}
