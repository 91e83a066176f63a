/**
 * The kubelets of all machines: each registers its Node once its machine runs and the API answers, says that it is not
 * ready until a CNI pod runs on it, and falls silent when its machine goes away. kwok does the rest (leases, pods).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '../../types.ts'
import { type LabApi, openApi } from '../api.ts'
import { cutOff } from '../network.ts'
import type { Lab, Machine, MachineConfig, ServiceState } from '../types.ts'
import { newNode, nodeState, powerOff, readyAnnotation, withoutCni } from './node-object.ts'
import { requestServingCertificate } from './serving-certificate.ts'
import { staticPods, writeStaticPods } from './static-pods.ts'

export interface Kubelets {
  /** The machine runs from now on; its Node follows as soon as the API is up. */
  start(machine: Machine): void
  stop(machine: Machine): void
  /** The machine's disk was wiped: what a CNI had left there is gone. */
  forget(machine: Machine): void
  /** The API server answers: every Node is brought to where its machine is. */
  apiUp(): Promise<void>
  /** Its config changed: reports again, with the versions of now. */
  configChanged(machine: Machine): Promise<void>
  /** Whether the network lets it report. */
  reachable(machine: Machine, yes: boolean): void
  service(machine: Machine): ServiceState
  close(): void
}

interface Kubelet {
  machine: Machine
  /** Of its boot: a machine that was wiped has no config. */
  hostname: string
  registered: boolean
  /** A CNI has left its configuration on this node; it survives reboots on Talos (/etc/cni is on EPHEMERAL). */
  cni: boolean
  cutOff: boolean
  /** The disk was wiped, and the Node doesn't say so yet. */
  wiped: boolean
  /** Its Node was made by this boot, so it has no serving certificate yet. */
  fresh: boolean
  ended: AbortController
  /** Its Node isn't where the machine is. */
  unsettled: boolean
  /** What brings it there, one after the other; only the latest goes on trying. */
  settled: Promise<void>
  settling: AbortController
}

const cniPods = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'k8s-app=cilium' }
const retryMs = 500

export function createKubelets(lab: Lab): Kubelets {
  const kubelets = new Map<string, Kubelet>()
  const cniReady = new Set<string>()
  const closed = new AbortController()
  let opened: Promise<LabApi> | undefined
  let watching = false
  const api = () => {
    opened ??= openApi(lab.adminKubeconfig).catch((error: Error) => {
      opened = undefined
      throw error
    })
    return opened
  }

  /** Whether the Node is new. */
  const report = async (kubelet: Kubelet): Promise<boolean> => {
    const config = configOf(kubelet.machine)
    kubelet.cni ||= cniReady.has(config.hostname)
    const writes = await api()
    const created = await writes.create(newNode(kubelet.machine, config, kubelet.cni))
    if (!created) await writes.merge(nodeState(kubelet.machine, config, kubelet.cni))
    return created
  }

  const runs = ({ ended, cutOff }: Kubelet) => !ended.signal.aborted && !cutOff

  /**
   * Brings the Node to where its machine is, and tries until it worked: a write that fails because an etcd member goes away
   * with the machine must not leave a Node that kwok keeps alive. While the API server is away `apiUp` comes back to it.
   */
  const settle = (kubelet: Kubelet): Promise<void> => {
    kubelet.unsettled = true
    kubelet.settling.abort()
    kubelet.settling = new AbortController()
    const { signal } = kubelet.settling
    kubelet.settled = kubelet.settled.then(async () => {
      while (lab.apiUp && !signal.aborted && !closed.signal.aborted) {
        try {
          await (runs(kubelet) ? register(kubelet) : silence(kubelet))
          kubelet.unsettled = signal.aborted
          return
        } catch (error) {
          lab.log('kubelet', `the Node of ${kubelet.hostname}: ${(error as Error).message}`)
          await delay(retryMs, undefined, { signal }).catch(() => {})
        }
      }
    })
    return kubelet.settled
  }

  const register = async (kubelet: Kubelet) => {
    await recallCni(kubelet)
    kubelet.fresh = (await report(kubelet)) || kubelet.fresh
    kubelet.registered = true
    kubelet.wiped = false
    await afterRegistration(await api(), kubelet)
  }

  /** Its lease is no longer renewed; the controller manager finds out by itself. A Node stays until somebody deletes it. */
  const silence = async (kubelet: Kubelet) => {
    const { hostname } = kubelet
    kubelet.registered = false
    await (await api()).merge(powerOff(hostname))
    if (kubelet.wiped) await (await api()).merge(withoutCni(hostname))
    kubelet.wiped = false
  }

  /** After a restart of the lab the Node itself tells whether a CNI had been there. */
  const recallCni = async (kubelet: Kubelet) => {
    if (kubelet.cni || kubelet.wiped) return
    const nodes = await (await api()).reads.list({ apiVersion: 'v1', kind: 'Node' })
    const known = nodes.ok && nodes.value.find(({ metadata }) => metadata.name === kubelet.hostname)
    const annotations = known ? known.metadata.annotations : undefined
    kubelet.cni = annotations?.[readyAnnotation] === 'True'
  }

  const afterRegistration = async (writes: LabApi, kubelet: Kubelet) => {
    const config = configOf(kubelet.machine)
    if (config.role === 'controlplane') {
      const nodes = await writes.reads.list({ apiVersion: 'v1', kind: 'Node' })
      const uid = nodes.ok
        ? nodes.value.find(({ metadata }) => metadata.name === config.hostname)?.metadata.uid
        : undefined
      if (!uid) throw new Error('the node is not listed')
      await writeStaticPods(writes, staticPods(kubelet.machine, config, uid))
    }
    // Later boots still have the certificate on disk.
    if (kubelet.fresh) await requestServingCertificate(lab.spec, kubelet.machine, config)
    kubelet.fresh = false
  }

  const cniChanged = (pods: KubeObject[]) => {
    cniReady.clear()
    for (const pod of pods) if (isReady(pod)) cniReady.add(String(pod.spec?.nodeName))
    for (const kubelet of kubelets.values()) {
      if (!kubelet.cni && kubelet.registered && cniReady.has(kubelet.hostname)) void settle(kubelet)
    }
  }

  const watchCni = async () => {
    const { reads } = await api()
    await reads.watch(cniPods, closed.signal, (result) => {
      if (result.ok) cniChanged(result.value)
    })
  }

  return {
    start(machine) {
      const { address } = machine.spec
      const former = kubelets.get(address)
      former?.ended.abort()
      former?.settling.abort()
      const kubelet: Kubelet = {
        machine,
        hostname: configOf(machine).hostname,
        registered: false,
        cni: former?.cni ?? false,
        cutOff: cutOff(lab, address) !== undefined,
        wiped: former?.wiped ?? false,
        fresh: false,
        ended: new AbortController(),
        unsettled: false,
        settled: former?.settled ?? Promise.resolve(),
        settling: new AbortController(),
      }
      kubelets.set(address, kubelet)
      if (runs(kubelet)) void settle(kubelet)
    },
    stop(machine) {
      const kubelet = kubelets.get(machine.spec.address)
      if (!kubelet) return
      kubelet.ended.abort()
      void settle(kubelet)
    },
    forget(machine) {
      const kubelet = kubelets.get(machine.spec.address)
      if (!kubelet) return
      kubelet.ended.abort()
      kubelet.cni = false
      kubelet.wiped = true
      void settle(kubelet)
    },
    async apiUp() {
      if (!watching) {
        watching = true
        void watchCni().catch((error: Error) => lab.log('kubelet', `no watch on CNI pods: ${error.message}`))
      }
      await Promise.all([...kubelets.values()].filter(({ unsettled }) => unsettled).map(settle))
    },
    async configChanged(machine) {
      const kubelet = kubelets.get(machine.spec.address)
      if (kubelet?.registered && runs(kubelet)) await settle(kubelet)
    },
    reachable(machine, yes) {
      const kubelet = kubelets.get(machine.spec.address)
      if (!kubelet || kubelet.cutOff === !yes) return
      kubelet.cutOff = !yes
      void settle(kubelet)
    },
    service(machine) {
      const running = kubelets.get(machine.spec.address)?.ended.signal.aborted === false
      return running
        ? { id: 'kubelet', state: 'Running', healthy: true, unknown: false, message: 'Health check successful' }
        : { id: 'kubelet', state: 'Waiting', healthy: false, unknown: true, message: 'Waiting for the machine to boot' }
    },
    close: () => closed.abort(),
  }
}

function isReady(pod: KubeObject): boolean {
  const conditions = (pod.status?.conditions ?? []) as { type: string; status: string }[]
  return pod.status?.phase === 'Running' && conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

function configOf(machine: Machine): MachineConfig {
  if (!machine.config) throw new Error(`machine ${machine.spec.address} has no config`)
  return machine.config
}
