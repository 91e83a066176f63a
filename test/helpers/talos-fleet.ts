/** Six simulated machines with configs from the real talhelper and real etcd members, driven by the real talosctl. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { parse, stringify } from 'yaml'
import type { Exec } from '../../src/lib/exec/types.ts'
import { createEtcd } from '../../src/lib/lab/control-plane/etcd.ts'
import { issueCertificate, type KeyPair } from '../../src/lib/lab/talos/certificates.ts'
import type { KubernetesNodes, NodeFacts } from '../../src/lib/lab/talos/kubernetes-nodes.ts'
import { type StartedMachine, startMachine } from '../../src/lib/lab/talos/machine.ts'
import { parseMachineConfig } from '../../src/lib/lab/talos/machine-config.ts'
import type { ActiveFault, ClusterSide, Machine, MachineSpec, ServiceState } from '../../src/lib/lab/types.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import { createTalosPort, type TalosReads } from '../../src/lib/tools/talos-port.ts'

import { ownNetwork, type StubLab, stubLab } from './stub-lab.ts'

export interface TalosFleet {
  lab: StubLab
  dir: string
  machines: Map<string, StartedMachine>
  address(name: string): string
  /** The generated machine config of a node. */
  configFile(name: string): string
  talosconfig: string
  /** Reads with that talosconfig. */
  talos: TalosReads
  /** Runs talosctl with the fleet's talosconfig; never throws. */
  talosctl(...args: string[]): Promise<Output>
  /** The same without a talosconfig, for `--insecure` calls. */
  insecure(...args: string[]): Promise<Output>
  apply(...names: string[]): Promise<void>
  /** Waits until a machine is in that stage (and, if asked for, ready). */
  stage(name: string, stage: Machine['stage'], ready?: boolean): Promise<void>
  powered(name: string): boolean
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>
  faults(...faults: ActiveFault[]): void
  node(name: string): NodeFacts
  /** Ends every machine and starts it again from its record, as a new supervisor does. */
  restartSupervisor(): Promise<void>
  stop(): Promise<void>
}

export interface Output {
  code: number
  stdout: string
  stderr: string
}

export const tool = (name: string): string => {
  const found = resolveTool(name)
  if (!found) throw new Error(`this test needs the pinned ${name}: npm run setup`)
  return found.path
}

/** What goes through the API starts no process. */
const noExec: Exec = async ({ pipeline }) => {
  throw new Error(`started ${pipeline[0]?.args.join(' ')}`)
}

const names = ['cp1', 'cp2', 'cp3', 'w1', 'w2', 'w3']

/**
 * @param only the machines to start; all six are in talconfig
 */
export async function startFleet(only: string[] = names, pace = 0.1): Promise<TalosFleet> {
  const dir = mkdtempSync(join(tmpdir(), 'talos-fleet-'))
  const tools = { talosctl: tool('talosctl'), etcd: tool('etcd'), etcdutl: tool('etcdutl') }
  const lab = stubLab(dir, 205, tools)
  const network = ownNetwork()
  lab.spec.base = `${network}.1`
  lab.spec.vip = `${network}.10`
  const address = (name: string) => `${network}.${11 + names.indexOf(name)}`
  lab.spec.machines = names.map((name) => hardware(name, address(name)))
  lab.spec.pace = pace
  await generate(dir, address, lab.spec.vip)
  const nodes = new Map<string, NodeFacts>()
  const machines = new Map<string, StartedMachine>()
  const cluster = clusterSide(lab, nodes)
  const start = async () => {
    const view = nodeView(nodes)
    for (const name of only) {
      const spec = lab.spec.machines[names.indexOf(name)] as MachineSpec
      machines.set(name, await startMachine(lab, spec, cluster, { nodes: view }))
    }
  }
  const stopMachines = async () => {
    await Promise.all([...machines.values()].map((started) => started.part.stop()))
  }
  await start()
  const talosconfig = join(dir, 'out', 'talosconfig')
  const fleet: TalosFleet = {
    lab,
    dir,
    machines,
    address,
    talosconfig,
    talos: createTalosPort({ root: dir, talosconfig: 'out/talosconfig' }, noExec),
    configFile: (name) => join(dir, 'out', `apps-${name}.yaml`),
    talosctl: (...args) => run(tools.talosctl, ['--talosconfig', talosconfig, ...args], dir),
    insecure: (...args) => run(tools.talosctl, args, dir),
    async apply(...wanted) {
      await Promise.all(
        wanted.map(async (name) => {
          await fleet.stage(name, 'maintenance')
          const output = await fleet.insecure(
            '-n',
            address(name),
            'apply-config',
            '--insecure',
            '-f',
            fleet.configFile(name),
          )
          // A machine that leaves maintenance mode may cut off its own answer, as bootstrap's plan knows: its stage decides.
          if (output.code !== 0 && !output.stderr.includes('error reading from server: EOF'))
            throw new Error(output.stderr)
        }),
      )
    },
    async stage(name, stage, ready) {
      await fleet.until(`${name} ${stage}`, () => {
        const machine = machines.get(name)?.machine
        return machine?.stage === stage && (ready === undefined || machine.ready === ready)
      })
    },
    async until(what, condition) {
      const deadline = Date.now() + 40_000
      while (!(await condition())) {
        if (Date.now() > deadline) throw new Error(`not within 40 s: ${what}\n${lab.logs.join('\n')}`)
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    },
    powered: (name) => (machines.get(name) as StartedMachine).part.status().powered,
    faults: (...faults) => lab.setFaults(faults),
    node: (name) => nodes.get(name) as NodeFacts,
    async restartSupervisor() {
      await stopMachines()
      await start()
    },
    async stop() {
      await stopMachines()
      await cluster.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  return fleet
}

function hardware(name: string, address: string): MachineSpec {
  const disk = {
    path: '/dev/nvme0n1',
    size: 512_000_000_000,
    model: 'Lab NVMe',
    serial: `S-${name}`,
    transport: 'nvme',
  }
  return {
    address,
    nodeAddress: `10.25.13.${address.split('.')[3]}`,
    disks: [disk, { ...disk, path: '/dev/nvme1n1', size: 2_000_000_000_000, serial: `D-${name}` }],
    links: [{ name: 'enp1s0', hardwareAddress: '52:54:00:13:01:01', driver: 'ixgbe' }],
  }
}

async function generate(dir: string, address: (name: string) => string, vip: string): Promise<void> {
  const nodes = names.map((name) =>
    [
      `  - hostname: ${name}`,
      `    ipAddress: ${address(name)}`,
      `    controlPlane: ${name.startsWith('cp')}`,
      '    installDiskSelector: {type: nvme, size: "<= 1TB"}',
      '    networkInterfaces:',
      `      - {interface: enp1s0, addresses: [${address(name)}/24]${name.startsWith('cp') ? `, vip: {ip: ${vip}}` : ''}}`,
    ].join('\n'),
  )
  const talconfig = `clusterName: apps
talosVersion: v1.12.0
kubernetesVersion: v1.35.0
endpoint: https://${vip}:6443
cniConfig: {name: none}
nodes:
${nodes.join('\n')}
controlPlane: &plane
  schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/intel-ucode]}}}
worker: *plane
`
  writeFileSync(join(dir, 'talconfig.yaml'), talconfig)
  await execa('mkdir', ['-p', join(dir, 'repo', 'talos', 'apps')])
  writeFileSync(join(dir, 'repo', 'talos', 'apps', 'talconfig.yaml'), talconfig)
  const options = { cwd: dir }
  const secret = await execa(tool('talhelper'), ['gensecret'], options)
  writeFileSync(join(dir, 'talsecret.yaml'), secret.stdout)
  await execa(
    tool('talhelper'),
    ['genconfig', '--offline-mode', '-c', 'talconfig.yaml', '-s', 'talsecret.yaml', '-o', 'out'],
    options,
  )
}

/** What surrounds the machines: real etcd, a kubelet that is healthy while its machine is up, nodes in a map. */
function clusterSide(lab: StubLab, nodes: Map<string, NodeFacts>): ClusterSide & { stop(): Promise<void> } {
  const up = new Map<string, Machine>()
  const left = new Set<string>()
  const etcd = createEtcd(
    lab,
    (machine) => up.has(machine.spec.address),
    () => {},
  )
  const join_ = async (machine: Machine) => {
    if (machine.config?.role === 'controlplane')
      await etcd.start(machine).catch((error) => lab.log('etcd', String(error)))
  }
  // Members that could not join yet ask again, as Talos's etcd service does.
  const retry = setInterval(() => {
    for (const machine of up.values()) {
      if (etcd.state(machine).phase === 'waiting' && !left.has(machine.spec.address)) void join_(machine)
    }
  }, 250)
  const nameOf = (machine: Machine) => machine.config?.hostname ?? ''
  return {
    async machineUp(machine) {
      up.set(machine.spec.address, machine)
      left.delete(machine.spec.address)
      const known = nodes.get(nameOf(machine))
      nodes.set(nameOf(machine), { unschedulable: false, labels: {}, annotations: {}, ...known, ready: true })
      await join_(machine)
    },
    async machineDown(machine) {
      up.delete(machine.spec.address)
      const known = nodes.get(nameOf(machine))
      if (known) known.ready = false
      await etcd.stop(machine)
    },
    async machineWiped(machine) {
      nodes.delete(nameOf(machine))
      await etcd.wipe(machine)
    },
    async etcdLeft(machine) {
      left.add(machine.spec.address)
      await etcd.wipe(machine)
    },
    hasEtcdData: (machine) =>
      etcd.hasData(machine) || lab.faults.active('etcd-already-bootstrapped', machine.spec.address) !== undefined,
    bootstrapEtcd: etcd.bootstrap,
    etcdMember: etcd.member,
    services(machine) {
      const kubelet = service('kubelet', up.has(machine.spec.address), true)
      if (machine.config?.role !== 'controlplane') return [kubelet]
      const { phase, healthy } = etcd.state(machine)
      return [kubelet, service('etcd', phase === 'running', healthy)]
    },
    kubeconfig: async () => undefined,
    async stop() {
      clearInterval(retry)
      up.clear()
      await Promise.all(lab.spec.machines.map((spec) => etcd.stop({ spec } as Machine)))
    },
  }
}

function service(id: string, running: boolean, healthy: boolean): ServiceState {
  return { id, state: running ? 'Running' : 'Preparing', healthy: running && healthy, unknown: !running, message: '' }
}

/** The Kubernetes nodes without an API server: cordons are kept, evictions have nothing to evict. */
function nodeView(nodes: Map<string, NodeFacts>): KubernetesNodes {
  return {
    facts: (name) => nodes.get(name),
    onChange: () => {},
    port: () => undefined,
    async cordon(name) {
      const facts = nodes.get(name)
      if (facts) Object.assign(facts, { unschedulable: true, annotations: { 'talos.dev/cordoned': 'true' } })
    },
    async uncordon(name) {
      const facts = nodes.get(name)
      if (facts?.annotations['talos.dev/cordoned']) Object.assign(facts, { unschedulable: false, annotations: {} })
    },
    drain: async () => {},
    stop: () => {},
  }
}

async function run(talosctl: string, args: string[], cwd: string): Promise<Output> {
  const result = await execa(talosctl, args, { cwd, reject: false, timeout: 60_000, env: { HOME: cwd } })
  return { code: result.exitCode ?? -1, stdout: String(result.stdout), stderr: String(result.stderr) }
}

/** Contents of a config, to be changed and applied under another name. */
export function changedConfig(fleet: TalosFleet, name: string, change: (source: string) => string): string {
  const file = join(fleet.dir, `changed-${Math.random().toString(36).slice(2)}.yaml`)
  writeFileSync(file, change(readFileSync(fleet.configFile(name), 'utf8')))
  return file
}

/** Brings up etcd on cp1 and waits until every started machine is running and ready. */
export async function bootstrapFleet(fleet: TalosFleet): Promise<void> {
  const started = [...fleet.machines.keys()]
  await fleet.apply(...started)
  await fleet.until('bootstrap accepted', async () => {
    const output = await fleet.talosctl('-e', fleet.address('cp1'), '-n', fleet.address('cp1'), 'bootstrap')
    return output.code === 0
  })
  for (const name of started) await fleet.stage(name, 'running', true)
}

/** A talosconfig whose certificate has other roles, signed by the fleet's own CA or by another one. */
export async function talosconfigFor(
  fleet: TalosFleet,
  role: string,
  ca?: KeyPair,
  clockOffsetMs = 0,
): Promise<string> {
  const config = parse(readFileSync(fleet.talosconfig, 'utf8')) as { contexts: { apps: { crt: string; key: string } } }
  const { crt, key } = parseMachineConfig(readFileSync(fleet.configFile('cp1'), 'utf8')).ca.talos
  const pair = await issueCertificate(ca ?? { crt, key: key ?? '' }, {
    subject: `O=${role}`,
    usage: 'client',
    days: 1,
    clockOffsetMs,
  })
  Object.assign(config.contexts.apps, { crt: base64(pair.crt), key: base64(pair.key) })
  const file = join(fleet.dir, `talosconfig-${Math.random().toString(36).slice(2)}`)
  writeFileSync(file, stringify(config))
  return file
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
