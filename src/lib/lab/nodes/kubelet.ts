/**
 * The kubelets of all machines: each registers its Node once its machine runs and the API answers, says that it is not
 * ready until a CNI pod runs on it, and falls silent when its machine goes away. kwok does the rest (leases, pods).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '../../types.ts'
import { type LabApi, openApi } from '../api.ts'
import { cutOff } from '../network.ts'
import type { Lab, Machine, MachineConfig, ServiceState } from '../types.ts'
import { newNode, nodeRef, nodeState, powerOff, readyAnnotation } from './node-object.ts'
import { requestServingCertificate } from './serving-certificate.ts'
import { staticPods, writeStaticPods } from './static-pods.ts'

export interface Kubelets {
  /** The machine runs from now on; does nothing until the API is up. */
  start(machine: Machine): void
  stop(machine: Machine): Promise<void>
  /** The machine's disk was wiped: what a CNI had left there is gone. */
  forget(machine: Machine): Promise<void>
  /** The API server answers: registers every kubelet that was started. */
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
  registered: boolean
  /** A CNI has left its configuration on this node; it survives reboots on Talos (/etc/cni is on EPHEMERAL). */
  cni: boolean
  cutOff: boolean
  /** Its Node was made by this boot, so it has no serving certificate yet. */
  fresh: boolean
  ended: AbortController
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

  /** Until it worked or the machine went away: a kubelet never gives up either. */
  const register = async (kubelet: Kubelet) => {
    const { signal } = kubelet.ended
    while (!signal.aborted && !closed.signal.aborted) {
      try {
        await recallCni(kubelet)
        kubelet.fresh = (await report(kubelet)) || kubelet.fresh
        kubelet.registered = true
        await afterRegistration(await api(), kubelet)
        return
      } catch (error) {
        lab.log('kubelet', `${kubelet.machine.config?.hostname} could not register: ${(error as Error).message}`)
        await delay(retryMs, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** Its lease is no longer renewed; the controller manager finds out by itself. */
  const silence = async (kubelet: Kubelet) => {
    if (!kubelet.registered) return
    kubelet.registered = false
    const { hostname } = configOf(kubelet.machine)
    await (await api()).merge(powerOff(hostname)).catch((error: Error) => {
      lab.log('kubelet', `${hostname} could not be taken off: ${error.message}`)
    })
  }

  /** After a restart of the lab the Node itself tells whether a CNI had been there. */
  const recallCni = async (kubelet: Kubelet) => {
    if (kubelet.cni) return
    const nodes = await (await api()).reads.list({ apiVersion: 'v1', kind: 'Node' })
    const known = nodes.ok && nodes.value.find(({ metadata }) => metadata.name === configOf(kubelet.machine).hostname)
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

  const cniChanged = async (pods: KubeObject[]) => {
    cniReady.clear()
    for (const pod of pods) if (isReady(pod)) cniReady.add(String(pod.spec?.nodeName))
    for (const kubelet of kubelets.values()) {
      const name = configOf(kubelet.machine).hostname
      if (kubelet.cni || !kubelet.registered || !cniReady.has(name)) continue
      await report(kubelet).catch((error: Error) => {
        kubelet.cni = false
        lab.log('kubelet', `${name} could not report: ${error.message}`)
      })
    }
  }

  const watchCni = async () => {
    const { reads } = await api()
    // One at a time: a change that comes while a report is under way is seen by the next one.
    let pending: Promise<void> = Promise.resolve()
    await reads.watch(cniPods, closed.signal, (result) => {
      if (!result.ok) return
      const { value } = result
      pending = pending.then(() => cniChanged(value))
    })
  }

  return {
    start(machine) {
      const { address } = machine.spec
      kubelets.get(address)?.ended.abort()
      const former = kubelets.get(address)
      const isolated = cutOff(lab, address) !== undefined
      const kubelet: Kubelet = {
        machine,
        registered: false,
        cni: former?.cni ?? false,
        cutOff: isolated,
        fresh: false,
        ended: new AbortController(),
      }
      kubelets.set(address, kubelet)
      if (lab.apiUp && !isolated) void register(kubelet)
    },
    async stop(machine) {
      const kubelet = kubelets.get(machine.spec.address)
      if (!kubelet) return
      kubelet.ended.abort()
      if (lab.apiUp) await silence(kubelet)
    },
    async forget(machine) {
      const kubelet = kubelets.get(machine.spec.address)
      kubelets.delete(machine.spec.address)
      kubelet?.ended.abort()
      if (!kubelet || !lab.apiUp) return
      // The Node itself stays until somebody deletes it, as in a real cluster. Only the CNI's files are gone.
      const { hostname } = configOf(machine)
      const node = { ...nodeRef(hostname), metadata: { name: hostname, annotations: { [readyAnnotation]: 'False' } } }
      await (await api()).merge(node).catch((error: Error) => {
        lab.log('kubelet', `${hostname} could not be marked as wiped: ${error.message}`)
      })
    },
    async apiUp() {
      if (!watching) {
        watching = true
        void watchCni().catch((error: Error) => lab.log('kubelet', `no watch on CNI pods: ${error.message}`))
      }
      await Promise.all(
        [...kubelets.values()]
          .filter(({ registered, cutOff, ended }) => !registered && !cutOff && !ended.signal.aborted)
          .map((kubelet) => register(kubelet)),
      )
    },
    async configChanged(machine) {
      const kubelet = kubelets.get(machine.spec.address)
      if (!kubelet?.registered || kubelet.cutOff) return
      await register(kubelet)
    },
    reachable(machine, yes) {
      const kubelet = kubelets.get(machine.spec.address)
      if (!kubelet || kubelet.cutOff === !yes) return
      kubelet.cutOff = !yes
      if (!lab.apiUp) return
      if (yes) void register(kubelet)
      else void silence(kubelet)
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
