/**
 * The cluster around the simulated machines: real etcd members and one real control plane, reachable at each control
 * plane's address and at the VIP exactly as long as those machines run. Implements what the machines ask for (ClusterSide).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Json } from '../../types.ts'
import { openApi } from '../api.ts'
import { cutOff } from '../network.ts'
import { createKubelets } from '../nodes/kubelet.ts'
import { applyCoreStages } from '../nodes/stages.ts'
import { issueCertificate } from '../talos/certificates.ts'
import type { ClusterSide, Lab, Machine, MachineConfig, Part, ServiceState } from '../types.ts'
import { followApiRestarts } from './api-restarts.ts'
import { bootstrapManifests } from './bootstrap-manifests.ts'
import { etcdFrontPort } from './components.ts'
import { createEtcd } from './etcd.ts'
import { createEtcdFaults } from './etcd-faults.ts'
import { createForwarder } from './forwarder.ts'
import { createFrontDoor } from './front-door.ts'
import { kubeconfigFor } from './kubeconfig.ts'
import { createPodNetwork, type PodNetwork } from './pod-network.ts'
import { createControlPlane } from './processes.ts'

export interface Cluster extends ClusterSide, Part {
  /** For Lab.apiUp and Lab.onApiUp. */
  readonly apiUp: boolean
  onApiUp(listener: () => void): void
  readonly pods: PodNetwork
}

const welcomeAgainMs = 500

/** @param lab may ask this cluster for `apiUp`, but not before this function has returned */
export function createCluster(lab: Lab): Cluster {
  const { spec } = lab
  const up = new Map<string, Machine>()
  /** Left etcd on their own wish: they come back with the next boot, not by themselves. */
  const left = new Set<string>()
  /** Wiped since `etcd-already-bootstrapped` was added: what it left there is gone. */
  const wiped = new Set<string>()
  const listeners = new Set<() => void>()
  let apiUp = false
  let welcomed = false
  let welcoming = new AbortController()
  let starting: Promise<void> | undefined
  let closing = false
  let otherOperatorActs = false

  const kubelets = createKubelets(lab)
  const etcd = createEtcd(
    lab,
    ({ spec: { address } }) => up.has(address),
    () => void advance(),
  )
  const etcdFaults = createEtcdFaults(lab, etcd, () => void advance())
  const frontDoor = createFrontDoor(lab, () => ({
    ready: apiUp,
    // The VIP is held through etcd, so a control plane without a running member can't have it.
    controlPlanes: controlPlanes().map((machine) => ({
      address: machine.spec.address,
      mayHoldVip: etcd.member(machine) !== undefined && configOf(machine).vip !== undefined,
    })),
  }))
  // Each API server has its own etcd beside it in a real cluster; the one here takes whichever member lives.
  const etcdFront = createForwarder({ host: spec.base, port: etcdFrontPort }, () => {
    const port = etcd.livePorts()[0]
    return port === undefined ? undefined : { host: spec.base, port }
  })

  const pods = createPodNetwork(spec.dir)
  const podsOpen = pods.open()
  podsOpen.catch((error: Error) => lab.log('control-plane', `no pod can be reached: ${error.message}`))

  const controlPlane = createControlPlane(lab, (ready) => {
    if (ready === apiUp) return
    apiUp = ready
    welcomed = false
    lab.log('control-plane', ready ? 'API server is ready' : 'API server is gone')
    void frontDoor.update()
    if (ready) void welcome()
    else welcoming.abort()
  })

  const controlPlanes = () => [...up.values()].filter((machine) => machine.config?.role === 'controlplane')

  /**
   * What happens each time the API server answers: Talos' manifests, the Stages, the nodes, everybody who waits. Until it
   * worked: while members join, a write may fail, and without kwok nothing would ever run.
   */
  const welcome = async () => {
    welcoming.abort()
    welcoming = new AbortController()
    const { signal } = welcoming
    while (apiUp && !signal.aborted) {
      try {
        const api = await openApi(lab.adminKubeconfig)
        const config = configOf(controlPlanes()[0])
        await applyCoreStages(api, spec.pace)
        controlPlane.startKwok()
        for (const manifest of bootstrapManifests(config)) await api.create(manifest)
        await kubelets.apiUp()
        break
      } catch (error) {
        lab.log('control-plane', `the cluster is not complete: ${(error as Error).message}`)
        await delay(welcomeAgainMs, undefined, { signal }).catch(() => {})
      }
    }
    if (!apiUp || signal.aborted) return
    welcomed = true
    for (const listener of listeners) listener()
  }

  /** Brings things to where they should be; called after every change. Nothing here is undone by being called twice. */
  const advance = async () => {
    if (closing) return
    await frontDoor.update()
    const machines = controlPlanes()
    await playOtherOperator()
    void etcdFaults.follow(machines)
    for (const machine of machines.filter((each) => !etcdFaults.keepsOut(each))) {
      // Every member that isn't there tries to join, as Talos' etcd service does for ever.
      if (!etcd.member(machine) && !left.has(machine.spec.address)) void etcd.start(machine).catch(logged('etcd'))
    }
    const running = machines.find((machine) => etcd.state(machine).healthy)
    if (running && !controlPlane.running && !starting) {
      starting = startControlPlane(running)
        .catch(logged('control-plane'))
        .finally(() => {
          starting = undefined
        })
    }
    // With the last control plane's machine its API server is gone, too.
    if (machines.length === 0 && controlPlane.running && !starting) await controlPlane.stop()
  }

  /** `etcd-already-bootstrapped` with `by=old-data`: the directory of an earlier installation, with no etcd running in it. */
  const holdsOldData = ({ spec: { address } }: Machine): boolean => {
    if (wiped.has(address)) return false
    const fault = lab.faults.active('etcd-already-bootstrapped', address)
    return fault?.params?.by === 'old-data' && (fault.node !== undefined || address === spec.machines[0]?.address)
  }

  /** `etcd-already-bootstrapped`: another operator was faster, on a machine that we would not have taken. */
  const playOtherOperator = async () => {
    const fault = lab.faults.active('etcd-already-bootstrapped')
    if (!fault || fault.params?.by === 'old-data' || controlPlanes().some(etcd.hasData)) return
    const chosen = controlPlanes().find(({ spec: { address } }) =>
      fault.node ? lab.faults.active(fault.name, address) === fault : address !== spec.machines[0]?.address,
    )
    if (!chosen || otherOperatorActs) return
    otherOperatorActs = true
    lab.log('etcd', `${configOf(chosen).hostname} is bootstrapped by somebody else`)
    await etcd.bootstrap(chosen).finally(() => {
      otherOperatorActs = false
    })
  }

  const startControlPlane = async (machine: Machine) => {
    await Promise.all([etcdFront.open(), podsOpen])
    try {
      await controlPlane.start(configOf(machine), machine.spec.nodeAddress)
    } catch (error) {
      // The next change of an etcd member tries again.
      await controlPlane.stop()
      throw error
    }
  }

  const unsubscribe = lab.faults.onChange(() => {
    if (!lab.faults.active('etcd-already-bootstrapped')) wiped.clear()
    for (const machine of up.values()) kubelets.reachable(machine, !cutOff(lab, machine.spec.address))
    void advance()
  })

  const endApiRestarts = followApiRestarts(lab, () => controlPlane.killApi())

  const logged = (part: string) => (error: Error) => lab.log(part, error.message)

  return {
    name: 'cluster',
    pods,
    get apiUp() {
      return apiUp
    },
    onApiUp(listener) {
      listeners.add(listener)
      if (welcomed) queueMicrotask(listener)
    },
    async machineUp(machine) {
      up.set(machine.spec.address, machine)
      left.delete(machine.spec.address)
      kubelets.start(machine)
      await advance()
    },
    async machineDown(machine, why) {
      up.delete(machine.spec.address)
      lab.log('control-plane', `${machine.config?.hostname ?? machine.spec.address} goes away (${why})`)
      kubelets.stop(machine)
      await Promise.all([frontDoor.update(), etcd.stop(machine)])
      await advance()
    },
    async machineWiped(machine) {
      up.delete(machine.spec.address)
      wiped.add(machine.spec.address)
      kubelets.forget(machine)
      await etcd.wipe(machine)
      await advance()
    },
    configChanged: (machine) => kubelets.configChanged(machine),
    async etcdLeft(machine) {
      left.add(machine.spec.address)
      await etcd.wipe(machine)
      await advance()
    },
    hasEtcdData: (machine) => etcd.hasData(machine) || holdsOldData(machine),
    async bootstrapEtcd(machine, recovery) {
      // What an API server remembers of a later time than the snapshot's must not be served.
      if (recovery) await controlPlane.stop()
      await etcd.bootstrap(machine, recovery)
      await advance()
    },
    etcdMember: etcd.member,
    services(machine) {
      const kubelet = kubelets.service(machine)
      if (machine.config?.role !== 'controlplane') return [kubelet]
      return [etcdService(etcd.state(machine), up.has(machine.spec.address)), kubelet]
    },
    async kubeconfig() {
      const machine = controlPlanes()[0]
      if (!machine || !(controlPlane.running || starting)) return undefined
      const config = configOf(machine)
      const { crt, key } = config.ca.kubernetes
      if (!key) return undefined
      const admin = await issueCertificate(
        { crt, key },
        { subject: 'O=system:masters, CN=admin', usage: 'client', days: 365 },
      )
      return kubeconfigFor(config.clusterName, 'admin', config.endpoint, crt, admin)
    },
    status: () => statusOf(),
    async stop() {
      closing = true
      unsubscribe()
      endApiRestarts()
      kubelets.close()
      await frontDoor.close()
      await controlPlane.stop()
      await Promise.all([etcdFront.close(), pods.close()])
    },
  }

  function statusOf(): Json {
    const members = controlPlanes().map((machine) => {
      const { phase, healthy } = etcd.state(machine)
      return { node: configOf(machine).hostname, phase, healthy }
    })
    return {
      api: { up: apiUp, server: `https://${spec.base}:6443`, vipHolder: frontDoor.vipHolder() ?? null },
      etcd: members,
      processes: controlPlane.status(),
      pods: pods.standing,
      nodes: [...up.values()].map((machine) => configOf(machine).hostname),
    }
  }
}

/** As Talos words it (services/etcd.go; `Running pre state` is what a control plane shows that waits for bootstrap). */
function etcdService(state: { phase: string; healthy: boolean; message: string }, machineUp: boolean): ServiceState {
  if (state.phase === 'running') {
    return { id: 'etcd', state: 'Running', healthy: state.healthy, unknown: false, message: state.message }
  }
  const message = machineUp ? 'Running pre state' : state.message
  return { id: 'etcd', state: machineUp ? 'Preparing' : 'Waiting', healthy: false, unknown: true, message }
}

function configOf(machine: Machine | undefined): MachineConfig {
  if (!machine?.config) throw new Error('no machine with a config')
  return machine.config
}
