/** Probes of the machines: the five states of a node, and the configs that were made for them. */

import { wipeDisksArgs } from '../../tools/talosctl.args.ts'
import type { NodeState, TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'
import { usedDisks } from '../used-disks.ts'

type MachineProbe =
  | 'disks-unused'
  | 'machine-configs-applied'
  | 'machine-configured'
  | 'node-state'
  | 'talos-config-current'
  | 'talos-config-valid'

const meaning: Record<NodeState, string> = {
  down: 'does not answer on port 50000',
  maintenance: 'waits for its first config (maintenance mode)',
  ours: "answers with this cluster's certificates",
  'foreign-pki': "is configured with another cluster's certificates",
  'certificate-without-address': 'is ours, but its certificate does not name the address that we dial',
}

const nextFor: Partial<Record<NodeState, (node: string) => string>> = {
  down: () => 'power it on, and look at its console, its switch port and its address',
  'foreign-pki': (node) =>
    `it belongs to another installation: wipe it (boot the Talos ISO and choose reset), or correct the address ${node} in talconfig.yaml`,
  'certificate-without-address': () =>
    'add the address to certSANs in talconfig.yaml and apply the config over an address that it names',
}

/** States that no waiting changes. */
const settled: NodeState[] = ['foreign-pki', 'certificate-without-address']

export function machineProbes(ports: GatePorts, talos: TalosPort): Record<MachineProbe, Probe> {
  const hostnames = new Map(ports.cluster.nodes.map((node) => [node.address, node.hostname]))
  const titleOf = (node: string) => (hostnames.has(node) ? `${hostnames.get(node)} (${node})` : node)

  /** Whether every one of `nodes` is in one of the states `in`. */
  const nodeState: Probe = async (params, signal) => {
    const wanted = listOf(params.in)
    const found = await Promise.all(
      listOf(params.nodes).map(async (node) => ({ node, state: await talos.state(node, signal) })),
    )
    const lines: string[] = []
    const wrong: { node: string; state: NodeState }[] = []
    for (const { node, state } of found) {
      if (!state.ok) lines.push(`${titleOf(node)}: ${state.detail}`)
      else if (!wanted.includes(state.value)) {
        wrong.push({ node, state: state.value })
        lines.push(`${titleOf(node)}: ${meaning[state.value]}`)
      }
    }
    if (lines.length === 0) return { status: 'pass', detail: `${found.length} machines: ${wanted.join(' or ')}` }
    const foreign = wrong.find(({ state }) => settled.includes(state))
    const worst = foreign ?? wrong[0]
    const next = worst && nextFor[worst.state]?.(worst.node)
    return {
      status: wrong.length > 0 ? 'fail' : 'unknown',
      detail: lines.join('; '),
      waitingFor: lines,
      ...(next ? { next } : {}),
      ...(foreign ? { final: true as const, cause: 'configuration' as const } : {}),
      // One that is there, and only is not what it should be, has been reached.
      ...(wrong.every((one) => one.state === 'down') ? { cause: 'unreachable' as const } : {}),
    }
  }

  return {
    'node-state': nodeState,

    /** A machine that has its config is at work on its disks, and no look at them tells whose they are. */
    async 'disks-unused'(params, signal): Promise<Verdict> {
      const found = await Promise.all(
        listOf(params.nodes).map(async (node) => {
          const state = await talos.state(node, signal)
          if (!state.ok) return { node, read: state }
          if (state.value === 'maintenance') return { node, read: await talos.discoveredVolumes(node, signal) }
          if (state.value === 'ours') return { node, read: undefined }
          return {
            node,
            read: {
              ok: false as const,
              why: state.value === 'down' ? ('unreachable' as const) : ('failed' as const),
              detail: `${titleOf(node)}: ${meaning[state.value]}`,
            },
          }
        }),
      )
      const unread = found.flatMap(({ node, read }) => {
        if (read && !read.ok) return [read]
        // Every machine has at least what it has booted from.
        const isEmpty = read?.value.length === 0
        return isEmpty
          ? [{ ok: false as const, why: 'bad-output' as const, detail: `${titleOf(node)} shows no disks` }]
          : []
      })
      const used = found.flatMap(({ node, read }) =>
        read?.ok ? usedDisks(read.value).map((disk) => ({ node, ...disk })) : [],
      )
      const waitingFor = used.map(({ node, device, content }) => `${titleOf(node)}: ${device} holds ${content}`)
      if (waitingFor.length > 0) {
        const wipes = Map.groupBy(used, ({ node }) => node)
        const lines = [...wipes].map(
          ([node, disks]) =>
            `talosctl ${wipeDisksArgs(
              node,
              disks.map(({ device }) => device),
            ).args.join(' ')}`,
        )
        const next = `k8sops dr run --destroy-disk-data wipes them; by hand:\n${lines.join('\n')}`
        return { status: 'fail', detail: waitingFor.join('; '), waitingFor, next, final: true }
      }
      if (unread.length > 0) return unreadable(...unread)
      const looked = found.filter(({ read }) => read?.ok).length
      return { status: 'pass', detail: `${looked} machines wait for their first config, and their disks are unused` }
    },

    /** Installing, a machine is away or still in maintenance mode; afterwards it boots with our certificates. */
    async 'machine-configured'({ node = '' }, signal) {
      const state = await nodeState({ nodes: node, in: 'ours' }, signal)
      if (state.status !== 'pass') return state
      const status = await talos.get(node, 'machinestatus', 'machine', signal)
      if (!status.ok) return unreadable(status)
      const stage = String(status.value[0]?.spec.stage ?? 'unknown')
      // A control plane stays `booting` until etcd is bootstrapped, so `running` would be too much to ask here.
      if (stage === 'booting' || stage === 'running') return { status: 'pass', detail: `${titleOf(node)} is ${stage}` }
      const detail = `${titleOf(node)} is ${stage}`
      return { status: 'fail', detail, waitingFor: [detail] }
    },

    /** Each of `nodes` (addresses) says that its generated config is what it has; it is asked for a dry run. */
    async 'machine-configs-applied'(params, signal): Promise<Verdict> {
      const effects = await Promise.all(
        listOf(params.nodes).map(async (node) => ({ node, effect: await ports.configEffect(node, signal) })),
      )
      const unread = effects.flatMap(({ effect }) => (effect.ok ? [] : [effect]))
      const waitingFor = effects.flatMap(({ node, effect }) => {
        if (!effect.ok || effect.value === 'nothing') return []
        return [`${titleOf(node)}: its config differs${effect.value === 'reboot' ? ', and applying it reboots' : ''}`]
      })
      if (waitingFor.length > 0) return { status: 'fail', detail: waitingFor.join('; '), waitingFor }
      if (unread.length > 0) return unreadable(...unread)
      return { status: 'pass', detail: `${effects.length} machines have their configs` }
    },

    async 'talos-config-current'(_params, signal) {
      const stale = await ports.staleConfigs(signal)
      if (!stale.ok) return unreadable(stale)
      if (stale.value.length === 0) return { status: 'pass', detail: 'clusterconfig is what talhelper makes now' }
      return { status: 'fail', detail: `out of date: ${stale.value.join(', ')}`, waitingFor: stale.value }
    },

    async 'talos-config-valid'(params, signal): Promise<Verdict> {
      const files = listOf(params.files)
      const faults = await Promise.all(
        files.map(async (file) => ({ file, fault: await ports.configFault(file, signal) })),
      )
      const problems = faults.flatMap(({ file, fault }) => {
        if (!fault.ok) return [{ file, line: 1, message: fault.detail }]
        return fault.value === undefined ? [] : [{ file, line: 1, message: fault.value }]
      })
      if (problems.length === 0) return { status: 'pass', detail: `${files.length} machine configs` }
      return {
        status: 'fail',
        detail: problems.map(({ file, message }) => `${file}: ${message}`).join('; '),
        problems,
        cause: 'configuration',
        final: true,
      }
    },
  }
}
