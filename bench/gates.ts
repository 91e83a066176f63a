/**
 * How long it takes to know how a whole cluster is: all gates before an upgrade, beside the slowest thing that has to be read for
 * it, and beside a shell loop of the kubectl and talosctl calls that an operator would make. In a lab with its fixtures: the one
 * that K8SOPS_LAB_NAME names, which must be up, or one of its own.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createGatePorts } from '../src/gate-ports.ts'
import type { Services } from '../src/lib/cli/services.ts'
import { createGatePort } from '../src/lib/gates/evaluate.ts'
import { clusterHealthy } from '../src/lib/gates/lifecycle-sets.ts'
import { createProbes } from '../src/lib/gates/probes/index.ts'
import type { KubePort, Result, TalosPort } from '../src/lib/types.ts'
import { createServices } from '../src/services.ts'
import { cli, median, root, row, time } from './measure.ts'

const rounds = 5
const clusterName = 'apps'

export type Timed = { what: string; ms: number; again: () => Promise<unknown> }

/** Ports whose reads are timed, and can be made again one at a time. */
export function timedPorts(kube: KubePort, talos: TalosPort, reads: Timed[]): { kube: KubePort; talos: TalosPort } {
  const timed = async <T>(what: string, read: () => Promise<Result<T>>): Promise<Result<T>> => {
    const started = performance.now()
    const result = await read()
    reads.push({ what, ms: performance.now() - started, again: read })
    return result
  }
  return {
    kube: {
      list: (ref, signal) => timed(`list ${ref.kind}`, () => kube.list(ref, signal)),
      watch: kube.watch,
      raw: (path, options) => timed(`GET ${path}`, () => kube.raw(path, options)),
    },
    talos: {
      state: (node, signal) => timed(`state ${node}`, () => talos.state(node, signal)),
      discoveredVolumes: (node, signal) =>
        timed(`discovered volumes ${node}`, () => talos.discoveredVolumes(node, signal)),
      get: (node, type, id, signal) => timed(`get ${type} ${node}`, () => talos.get(node, type, id, signal)),
      etcdMembers: (node, signal) => timed(`etcd members ${node}`, () => talos.etcdMembers(node, signal)),
      etcdStatus: (node, signal) => timed(`etcd status ${node}`, () => talos.etcdStatus(node, signal)),
      etcdAlarms: (node, signal) => timed(`etcd alarms ${node}`, () => talos.etcdAlarms(node, signal)),
      bootId: (node, signal) => timed(`boot id ${node}`, () => talos.bootId(node, signal)),
      read: (node, path, signal) => timed(`read ${path} ${node}`, () => talos.read(node, path, signal)),
    },
  }
}

export async function benchGates(): Promise<void> {
  const given = process.env.K8SOPS_LAB_NAME
  if (given) return measure(given)
  const lab = (...words: string[]) =>
    time({
      name: 'lab',
      command: [process.execPath, cli, 'lab', ...words, '--cluster', clusterName, '--lab-name', 'bench'],
    })
  try {
    lab('up', '--bootstrapped', '--fixtures')
    await measure('bench')
  } finally {
    lab('down')
  }
}

async function measure(labName: string): Promise<void> {
  const { opened, ports } = await openLab(labName)
  const { signal } = new AbortController()
  const checks = clusterHealthy(opened.cluster)
  const own = createGatePorts(opened, ports)

  const totals: number[] = []
  const slowest: number[] = []
  let reads: Timed[] = []
  for (let round = 0; round <= rounds; round++) {
    reads = []
    const gates = createGatePort({
      ...timedPorts(ports.kube, ports.talos, reads),
      probes: async (kube, talos) => createProbes(own, kube, talos),
      timeScale: 1,
    })
    const started = performance.now()
    await gates.evaluateAll(checks, signal)
    if (round === 0) continue
    totals.push(performance.now() - started)
    slowest.push(Math.max(...reads.map(({ ms }) => ms)))
  }
  const total = median(totals)
  const together = median(slowest)
  row(
    `${checks.length} gates, ${reads.length} reads / slowest of them`,
    `${total.toFixed(0)} / ${together.toFixed(0)} ms = ${(total / together).toFixed(2)}`,
    '<= 1.5',
    total <= 1.5 * together,
  )
  const alone = await slowestAlone(reads)
  row(
    `the same / slowest read with the machine to itself (${alone.what})`,
    `${total.toFixed(0)} / ${alone.ms.toFixed(0)} ms = ${(total / alone.ms).toFixed(2)}`,
    'beside',
    true,
  )
  const loop = shellLoop(labName, opened.cluster.nodes)
  row(
    'the same / shell loop of kubectl and talosctl',
    `${total.toFixed(0)} / ${loop.toFixed(0)} ms = ${(total / loop).toFixed(2)}`,
    '< 1',
    total < loop,
  )
}

export async function openLab(labName: string) {
  const services: Services = createServices(join(root, 'bin'))
  const repository = await services.openRepository(root)
  const opened = await services.openTarget(repository, clusterName, { lab: true, labName, env: process.env })
  const redactor = await services.redactor()
  const { signal } = new AbortController()
  const exec = await services.exec(opened, { redactor, env: process.env, note: () => {}, signal })
  const [kube, talos] = await Promise.all([services.kube(opened), services.talos(opened, exec)])
  return { opened, ports: { kube, talos, exec, redactor, peers: async () => [{ cluster: opened.cluster.name, kube }] } }
}

async function slowestAlone(reads: Timed[]): Promise<{ what: string; ms: number }> {
  let worst = { what: '', ms: 0 }
  for (const { what, again } of reads) {
    const times: number[] = []
    for (let time = 0; time < 3; time++) {
      const started = performance.now()
      await again()
      times.push(performance.now() - started)
    }
    if (median(times) > worst.ms) worst = { what, ms: median(times) }
  }
  return worst
}

/** What the gates read, one call after the other, as scripts do it. */
function shellLoop(labName: string, nodes: { address: string; controlPlane: boolean }[]): number {
  const kinds =
    'nodes daemonsets deployments kustomizations helmreleases gitrepositories ocirepositories poddisruptionbudgets cephclusters clusters.postgresql.cnpg.io backups.postgresql.cnpg.io replicationsources'
  const addresses = (controlPlanes: boolean) =>
    nodes
      .filter(({ controlPlane }) => controlPlane || !controlPlanes)
      .map(({ address }) => address)
      .join(' ')
  const script = `
    for kind in ${kinds}; do kubectl get "$kind" -A -o json || true; done
    for node in ${addresses(false)}; do talosctl -e "$node" -n "$node" get machinestatus -o json; done
    for node in ${addresses(true)}; do
      talosctl -e "$node" -n "$node" etcd status
      kubectl --server "https://$node:6443" get --raw /readyz
    done
    for what in members "alarm list"; do talosctl -e ${nodes[0]?.address} -n ${nodes[0]?.address} etcd $what; done`
  const words = ['lab', 'exec', '--cluster', clusterName, '--lab-name', labName, '--', 'bash', '-c']
  const started = performance.now()
  spawnSync(process.execPath, [cli, ...words, script], { cwd: root })
  return performance.now() - started
}
