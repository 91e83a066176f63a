/**
 * A cluster in memory for property tests of plans that work on nodes: the commands of a plan act on it, gates look at it, and
 * time passes with every look. It says what no plan may ever do (`breaches`), whatever goes wrong.
 */
import type { GatePort } from '../../src/lib/engine/ports.ts'
import type { Exec, ExecRequest, ExecResult } from '../../src/lib/exec/types.ts'
import type { Check, ClusterNode, Verdict } from '../../src/lib/types.ts'

export interface WorldNode {
  hostname: string
  address: string
  controlPlane: boolean
  version: string
  schematic: string
  boot: number
  /** Ticks until it runs again; 0 while it runs; Infinity for a machine that does not come back. */
  away: number
  /** What it comes back with. */
  next?: string
  unschedulable: boolean
  cordonedBy?: string
  pods: number
}

export type Fault =
  /** The next upgrade of the node ends with the old version. */
  | { kind: 'rolls-back'; node: string }
  | { kind: 'never-returns'; node: string }
  | { kind: 'image-refused'; node: string }
  | { kind: 'drain-blocked'; node: string }
  | { kind: 'ceph-warns'; from: number }
  /** A machine that nobody works on goes away by itself. */
  | { kind: 'dies'; node: string; at: number }

const bootTicks = 6
/** Looks until a wait is over: its deadline. */
const patience = 40

export class UpgradeWorld {
  readonly nodes: WorldNode[]
  leader: string
  faults: Fault[]
  tick = 0
  readonly breaches: string[] = []
  readonly upgrades: string[] = []
  /** From then on nothing of the run has an effect, as after kill -9. */
  killWhen: () => boolean = () => false
  /** Nodes that are meant to be out at the same time. */
  readonly together: Set<string>[] = []

  constructor(
    nodes: ClusterNode[],
    start: { version: (hostname: string) => string; schematic: string; leader: string },
  ) {
    this.nodes = nodes.map((node) => ({
      ...node,
      version: start.version(node.hostname),
      schematic: start.schematic,
      boot: 1,
      away: 0,
      unschedulable: false,
      pods: 3,
    }))
    this.leader = start.leader
    this.faults = []
  }

  at(name: string | undefined): WorldNode {
    const node = this.nodes.find(({ hostname, address }) => hostname === name || address === name)
    if (!node) throw new Error(`the world has no node ${name}`)
    return node
  }

  killed(): boolean {
    return this.killWhen()
  }

  private fault(kind: Fault['kind'], node?: string): Fault | undefined {
    return this.faults.find((fault) => fault.kind === kind && (!('node' in fault) || fault.node === node))
  }

  /** One moment later. */
  pass(): void {
    this.tick += 1
    for (const node of this.nodes) {
      const dies = this.faults.some((f) => f.kind === 'dies' && f.node === node.hostname && this.tick >= f.at)
      if (dies) node.away = Number.POSITIVE_INFINITY
      if (node.away === 0 || node.away === Number.POSITIVE_INFINITY) continue
      node.away -= 1
      if (node.away > 0) continue
      node.boot += 1
      node.version = node.next ?? node.version
      delete node.next
    }
    if (this.at(this.leader).away > 0)
      this.leader = this.nodes.find((n) => n.controlPlane && n.away === 0)?.hostname ?? this.leader
  }

  /** What is broken is repaired, and what was away for ever boots. */
  repair(): void {
    this.faults = []
    for (const node of this.nodes) if (node.away === Number.POSITIVE_INFINITY) node.away = 2
  }

  /** Everything but what differs between two runs that both ended well. */
  state(): object {
    return this.nodes.map(({ hostname, version, schematic, unschedulable, cordonedBy, away }) => ({
      hostname,
      version,
      schematic,
      unschedulable,
      cordonedBy,
      away,
    }))
  }

  private holds({ gate, params = {} }: Check): boolean | 'never' {
    const many = (list = '') =>
      list
        .split(',')
        .filter(Boolean)
        .map((name) => this.at(name))
    const runs = (node: WorldNode) => node.away === 0
    const one = this.nodes.find(({ hostname, address }) =>
      [hostname, address].includes(params.node ?? params.name ?? ''),
    )
    const atTarget = (node: WorldNode) =>
      runs(node) && node.version === params.version && node.schematic === params.schematic
    switch (gate) {
      case 'machines-ready':
      case 'nodes-ready':
        return many(params.nodes ?? params.names).every(runs)
      case 'nodes-schedulable':
        return many(params.names).every((node) => runs(node) && !node.unschedulable)
      case 'etcd-healthy':
        return this.nodes.filter((node) => node.controlPlane).every(runs)
      case 'etcd-leader-elsewhere':
        return this.leader !== one!.hostname
      case 'node-cordoned':
        return one!.unschedulable && one!.cordonedBy === params.by
      case 'maintenance-under-way':
        return this.nodes.some((node) => node.unschedulable && node.cordonedBy === params.by)
      case 'node-schedulable':
        return !one!.unschedulable
      case 'node-released':
        return !one!.unschedulable && one!.cordonedBy !== params.by
      case 'node-drained':
        return one!.pods === 0
      case 'node-at-target':
        return atTarget(one!)
      case 'node-ready-version':
        return runs(one!) && params.osImage === `Talos (${one!.version})`
      case 'node-upgraded':
      case 'not-rolled-back': {
        if (!runs(one!)) return false
        const same = `boot-of-${one!.hostname}` === params.bootId && one!.boot === 1
        if (gate === 'not-rolled-back') return same || atTarget(one!) || 'never'
        if (same) return false
        return atTarget(one!) || 'never'
      }
      case 'versions-equal':
        return many(params.nodes).every((node) => runs(node) && node.version === params.version)
      case 'ceph-healthy': {
        const warns = this.faults.some((fault) => fault.kind === 'ceph-warns' && this.tick >= fault.from)
        // Its OSDs are pods of their nodes, and don't start on a cordoned one.
        return !warns && this.nodes.every((node) => runs(node) && node.pods > 0)
      }
      default:
        return true
    }
  }

  readonly gates: GatePort = {
    evaluate: async (check) => this.verdict(check),
    waitFor: async (check, { signal, onWaiting }) => {
      for (let looks = 0; ; looks++) {
        const verdict = this.verdict(check)
        if (verdict.status === 'pass' || verdict.final || signal.aborted || looks >= patience) return verdict
        onWaiting([verdict.detail])
        this.pass()
        await Promise.resolve()
      }
    },
    together: () => this.gates,
  }

  private verdict(check: Check): Verdict {
    if (this.killed()) return { status: 'unknown', detail: 'killed', final: true }
    const held = this.holds(check)
    const detail = `${check.gate} ${JSON.stringify(check.params ?? {})}`
    if (held === true) return { status: 'pass', detail }
    return { status: 'fail', detail, ...(held === 'never' ? { final: true as const } : {}) }
  }

  readonly exec: Exec = async ({ pipeline, step, onSpawn, onExit }) => {
    const [{ tool, args }] = pipeline as [ExecRequest['pipeline'][number]]
    if (this.killed()) return this.result(null, `${tool}: killed`)
    const child = { pid: 1, startTime: '1', argv: [tool, ...args] }
    onSpawn?.(child)
    const failure = tool === 'kubectl' ? this.kubectl(args.slice(2)) : this.talosctl(args)
    this.pass()
    // Killed with its run, after the call has got through.
    if (this.killed()) return this.result(null, `${tool}: killed`)
    onExit?.(child, failure === undefined ? 0 : 1)
    return this.result(failure === undefined ? 0 : 1, failure ?? '', step)
  }

  private result(exitCode: number | null, stderr: string, step = ''): ExecResult {
    return { exitCode, stdout: '', stderr, tail: [stderr], line: step, seconds: 0 }
  }

  private kubectl(args: string[]): string | undefined {
    if (args[0] === 'drain') {
      const node = this.at(args[1])
      if (!node.unschedulable) this.breaches.push(`${node.hostname} was drained though pods could come back`)
      this.refuseSecond(node, 'drained')
      if (this.fault('drain-blocked', node.hostname)) return 'error: global timeout reached: 10m0s'
      node.pods = 0
      return undefined
    }
    const node = this.at(args[2])
    const patch = JSON.parse(args.at(-1)!)
    if (!Array.isArray(patch)) {
      if (node.unschedulable && node.cordonedBy !== patch.metadata.annotations['k8sops.dev/cordoned-by'])
        this.breaches.push(`${node.hostname} was taken over from whoever had cordoned it`)
      node.unschedulable = patch.spec.unschedulable
      node.cordonedBy = patch.metadata.annotations['k8sops.dev/cordoned-by']
      return undefined
    }
    if (node.cordonedBy !== patch[0].value) return 'the server rejected our request: testing path failed'
    delete node.cordonedBy
    node.unschedulable = false
    node.pods = 3
    return undefined
  }

  private talosctl(args: string[]): string | undefined {
    const node = this.at(args[args.indexOf('-n') + 1])
    if (args.includes('forfeit-leadership')) {
      const other = this.nodes.find((n) => n.controlPlane && n.away === 0 && n !== node)
      if (other && this.leader === node.hostname) this.leader = other.hostname
      return undefined
    }
    if (!args.includes('upgrade')) return undefined
    if (node.away > 0) this.breaches.push(`${node.hostname} got a call while it was restarting`)
    this.refuseSecond(node, 'upgraded')
    if (node.pods > 0) this.breaches.push(`${node.hostname} was restarted with pods on it`)
    if (this.leader === node.hostname && this.nodes.filter((n) => n.controlPlane).length > 1)
      this.breaches.push(`${node.hostname} led etcd when it was restarted`)
    if (this.fault('image-refused', node.hostname)) return 'error validating installer image: not found'
    this.upgrades.push(node.hostname)
    const image = args[args.indexOf('--image') + 1] ?? ''
    node.next = this.fault('rolls-back', node.hostname) ? node.version : image.slice(image.lastIndexOf(':') + 1)
    node.away = this.fault('never-returns', node.hostname) ? Number.POSITIVE_INFINITY : bootTicks
    // As if it had been interrupted while it waited: exit code 0 without the upgrade being done.
    return undefined
  }

  /** Never a second one while one is out, unless both are meant to be; never below etcd's quorum. */
  private refuseSecond(node: WorldNode, how: string): void {
    const mates = (other: WorldNode) =>
      this.together.some((batch) => batch.has(node.hostname) && batch.has(other.hostname))
    // Between the last look and the call nobody can tell; a call side by side with this one lets time pass.
    const justNow = (other: WorldNode) =>
      this.faults.some((f) => f.kind === 'dies' && f.node === other.hostname && this.tick - f.at < 2)
    const out = this.nodes.filter(
      (other) => other !== node && (other.away > 0 || other.unschedulable) && !mates(other) && !justNow(other),
    )
    if (out.length > 0)
      this.breaches.push(`${node.hostname} was ${how} while ${out.map(({ hostname }) => hostname).join(', ')} was out`)
    const members = this.nodes.filter(({ controlPlane }) => controlPlane)
    const left = members.filter((member) => member !== node && member.away === 0).length
    if (node.controlPlane && members.length > 1 && left < Math.floor(members.length / 2) + 1)
      this.breaches.push(`${node.hostname} was ${how} with ${left} of ${members.length} etcd members left`)
  }
}
