/**
 * A simulated Talos machine: it answers the real talosctl at `<address>:50000` from maintenance mode on. Real are TLS,
 * certificates, roles, validation of configs and etcd; hardware, installation and the time they take are simulated.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { clockOffsetMs } from '../clock.ts'
import { cutOff } from '../network.ts'
import type { ClusterSide, Lab, Machine, MachineSpec, Part, Stage } from '../types.ts'
import { applyConfigMethods } from './apply-config.ts'
import { cosiMethods } from './cosi.ts'
import { createEndpoint, type EndpointState } from './endpoint.ts'
import { memberStatus } from './etcd-gateway.ts'
import { createEventLog, type MachineStatus, publishStatus } from './events.ts'
import { type FleetOptions, fleetOf, leaveFleet } from './fleet.ts'
import { healthMethods } from './health.ts'
import { createKernelLog } from './kernel-log.ts'
import { componentVersion } from './kubernetes-resources.ts'
import { createLifecycle } from './lifecycle.ts'
import { parseMachineConfig } from './machine-config.ts'
import { actionMethods } from './methods-actions.ts'
import { etcdMethods } from './methods-etcd.ts'
import { machineMethods } from './methods-machine.ts'
import { certificateSigner, unmetConditions } from './readiness.ts'
import { reconfigure } from './reconfigure.ts'
import { loadRecord, type MachineRecord, saveRecord, type TalosSystem } from './record.ts'
import { createResourceStore } from './resource-store.ts'
import { machineResources } from './resources.ts'
import { implementationOf } from './router.ts'
import { createSequencer } from './sequencer.ts'
import { createServiceTable } from './services.ts'
import type { SimulatedMachine } from './simulated-machine.ts'

const methods = [
  ...machineMethods,
  ...applyConfigMethods,
  ...actionMethods,
  ...etcdMethods,
  ...cosiMethods,
  ...healthMethods,
]

/** How often a machine looks at its services, as Talos's health checks do. */
const healthCheckMs = 250

export interface StartedMachine {
  machine: Machine
  part: Omit<Part, 'status'> & { status(): MachineReport }
  /** The power button: what an operator does to a machine that is off or hangs. */
  power: {
    on(): void
    /** Without any shutdown: the plug is pulled. */
    cut(): Promise<void>
  }
}

/** What `lab status` shows of a machine. */
export type MachineReport = {
  address: string
  hostname: string | null
  powered: boolean
  stage: Stage
  ready: boolean
  version: string
  /** What a client meets at the address now. */
  endpoint: EndpointState
  sequence: string | null
  real: string
  simulated: string
}

/**
 * Starts a machine, or goes on with one whose record is in `<dir>/machines/`. Returns when its endpoint is about to
 * answer; call it for every machine of a lab in the same process, since apid forwards between them in memory.
 * @param cluster what runs around the machine: node, etcd member, kubeconfig
 * @param options stand-ins for the image factory and for the watch on Kubernetes nodes (tests)
 */
export async function startMachine(
  lab: Lab,
  spec: MachineSpec,
  cluster: ClusterSide,
  options: FleetOptions = {},
): Promise<StartedMachine> {
  const fleet = fleetOf(lab, options)
  const medium: TalosSystem = { image: '', version: talosTag(lab.spec.talosVersion), schematic: '', extensions: [] }
  const known = loadRecord(lab.spec, spec)
  const record: MachineRecord = known ?? {
    powered: true,
    stage: 'rebooting',
    bootId: '',
    bootedAt: '',
    running: medium,
  }
  const events = createEventLog()
  const kernelLog = createKernelLog()
  const services = createServiceTable(events)
  const waiting = new Set<() => void>()
  let down = true
  let etcdMemberId: string | undefined
  let last = ''

  const machine: Machine = {
    spec,
    stage: record.stage,
    ready: false,
    bootId: record.bootId,
    version: record.running.version,
    schematic: record.running.schematic,
    configVersion: (component) => componentVersion(resources, component),
  }
  const fault = (name: string) => lab.faults.active(name, spec.address)
  const timeSynced = () => !fault('time-not-synced')
  const signer = () => certificateSigner(simulated)

  const status = (): MachineStatus => {
    const unmet = unmetConditions(simulated)
    return { stage: record.stage, ready: unmet.length === 0, unmetConditions: unmet }
  }
  const evaluate = () => {
    const now = status()
    machine.ready = now.ready
    const text = JSON.stringify(now)
    if (text !== last) publishStatus(events, now)
    last = text
    resources.refresh()
    for (const look of waiting) look()
  }
  const save = () => {
    machine.stage = record.stage
    machine.bootId = record.bootId
    machine.version = record.running.version
    machine.schematic = record.running.schematic
    saveRecord(lab.spec, spec, record)
    evaluate()
  }
  const resources = createResourceStore(() => machineResources(simulated, etcdMemberId))
  const endpoint = createEndpoint({
    spec,
    config: () => machine.config,
    signer,
    fault,
    cutOff: () => cutOff(lab, spec.address),
    clockOffsetMs: () => clockOffsetMs(lab, spec.address),
    get implementation() {
      return implementation
    },
    log: (message) => lab.log('talos', `${spec.address}: ${message}`),
  })

  const simulated: SimulatedMachine = {
    lab,
    spec,
    cluster,
    fleet,
    machine,
    record,
    events,
    kernelLog,
    services,
    resources,
    sequencer: createSequencer(events, kernelLog),
    endpoint,
    status,
    setStage(stage) {
      record.stage = stage
      save()
    },
    changed: save,
    forgetConfig() {
      delete machine.config
      delete record.activeConfig
    },
    setConfig(source, persist) {
      const before = machine.config
      machine.config = parseMachineConfig(source)
      record.activeConfig = source
      if (persist) record.persistedConfig = source
      save()
      if (before && !down) reconfigure(simulated, before)
    },
    configure(source) {
      record.activeConfig = source
      record.pending = { kind: 'install' }
      save()
      lifecycle.configure(source)
    },
    restart: (how) => lifecycle.restart(how),
    gone: () => lifecycle.gone(),
    setDown(value) {
      down = value
      if (value) etcdMemberId = undefined
    },
    until: (condition, signal) =>
      new Promise((resolve) => {
        const look = () => {
          if (!signal.aborted && !condition()) return
          waiting.delete(look)
          signal.removeEventListener('abort', look)
          resolve()
        }
        waiting.add(look)
        signal.addEventListener('abort', look)
        look()
      }),
    fault,
    timeSynced,
    signer,
    pause: (wanted, signal) =>
      delay(wanted * 1000 * lab.spec.pace, undefined, signal ? { signal } : {}).catch(() => undefined),
  }
  const implementation = implementationOf(simulated, methods)
  const lifecycle = createLifecycle(simulated, medium)

  const checkHealth = () => {
    if (!down) services.adopt(cluster.services(machine))
    if (etcdMemberId === undefined && !down && services.get('etcd')?.healthy) void learnMemberId()
    evaluate()
  }
  const learnMemberId = async () => {
    const member = cluster.etcdMember(machine)
    if (!member) return
    const id = await memberStatus(member)
      .then(({ memberId }) => memberId)
      .catch(() => undefined)
    if (id !== undefined && !down) etcdMemberId = BigInt(id).toString(16).padStart(16, '0')
  }
  const ticker = setInterval(checkHealth, healthCheckMs)
  const unsubscribe = lab.faults.onChange(() => {
    void endpoint.refresh()
    checkHealth()
  })
  fleet.nodes.onChange(evaluate)
  fleet.machines.set(spec.address, simulated)
  const life = lifecycle.start().catch((error: unknown) => lab.log('talos', `${spec.address}: ${error}`))

  return {
    machine,
    part: {
      name: `machine ${spec.address}`,
      status: () => ({
        address: spec.address,
        hostname: machine.config?.hostname ?? null,
        powered: record.powered,
        stage: record.stage,
        ready: machine.ready,
        version: record.running.version,
        endpoint: endpoint.state(),
        sequence: simulated.sequencer.running() ?? null,
        real: 'TLS, certificates, roles, config validation, etcd',
        simulated: 'hardware, installation, services other than etcd and kubelet',
      }),
      async stop() {
        clearInterval(ticker)
        unsubscribe()
        lifecycle.stop()
        simulated.sequencer.cancel()
        for (const look of waiting) look()
        await endpoint.offer('closed')
        events.close()
        kernelLog.clear()
        leaveFleet(lab, spec.address)
        await life
      },
    },
    power: {
      on: () => lifecycle.powerOn(),
      async cut() {
        delete record.pending
        lifecycle.restart('power-off')
        await cluster.machineDown(machine, 'shutdown')
      },
    },
  }
}

function talosTag(version: string): string {
  return version.startsWith('v') ? version : `v${version}`
}
