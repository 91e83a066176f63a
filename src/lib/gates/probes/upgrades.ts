/** Probes of what machines are upgraded from and to. */
import type { TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'
import { stepFault } from '../talos-releases.ts'
import { unreadable } from '../unreadable.ts'

type UpgradeProbe = 'installer-image' | 'node-upgraded' | 'not-rolled-back' | 'version-path'

export function upgradeProbes(ports: GatePorts, talos: TalosPort): Record<UpgradeProbe, Probe> {
  const hostnames = new Map(ports.cluster.nodes.map((node) => [node.address, node.hostname]))
  const titleOf = (node: string) => (hostnames.has(node) ? `${hostnames.get(node)} (${node})` : node)

  return {
    /** From what each of `nodes` (addresses) runs, `to` is one step that Talos supports; down only with `downgrade`. */
    async 'version-path'(params, signal): Promise<Verdict> {
      const { to = '', downgrade } = params
      const found = await Promise.all(
        listOf(params.nodes).map(async (node) => ({ node, read: await talos.get(node, 'version', undefined, signal) })),
      )
      const unread = found.flatMap(({ read }) => (read.ok ? [] : [read]))
      const faults = found.flatMap(({ node, read }) => {
        if (!read.ok) return []
        const fault = stepFault(String(read.value[0]?.spec.version ?? ''), to, downgrade === 'true')
        return fault === undefined ? [] : [`${titleOf(node)}: ${fault}`]
      })
      if (faults.length > 0) return refused(faults, 'go one minor version at a time, from the latest patch of each')
      if (unread.length > 0) return unreadable(...unread)
      return { status: 'pass', detail: `${found.length} machines may go to ${to}` }
    },

    async 'installer-image'({ image = '' }, signal): Promise<Verdict> {
      const manifest = await ports.imageManifest(image, signal)
      if (manifest.ok) return { status: 'pass', detail: `${image} is there (${manifest.value.digest.slice(0, 19)})` }
      if (manifest.why !== 'not-found') return unreadable(manifest)
      return refused(
        [`${image}: ${manifest.detail}`],
        'correct talosVersion in talconfig.yaml, or let the image factory make the schematic first: k8sops talos gen',
      )
    },

    /**
     * `node` (an address) has booted since `bootId`, with the version and schematic. talosctl reports success after a boot
     * that fell back to the old image as well (A/B), which is told apart here: then no waiting helps.
     */
    'node-upgraded': async (params, signal) => {
      const found = await lookAtBoot(params, signal)
      return found === 'not booted' ? waiting(`${titleOf(params.node ?? '')}: has not booted yet`) : found
    },

    /** The same before the fact: an upgrade that was issued, by a process that died, has not begun or has got there. */
    'not-rolled-back': async (params, signal) => {
      const found = await lookAtBoot(params, signal)
      if (found !== 'not booted') return found
      return { status: 'pass', detail: `${titleOf(params.node ?? '')} has not booted since` }
    },
  }

  async function lookAtBoot(params: Record<string, string>, signal: AbortSignal): Promise<Verdict | 'not booted'> {
    const { node = '', version = '', schematic = '', bootId = '' } = params
    const [booted, status, versions, extensions] = await Promise.all([
      talos.bootId(node, signal),
      talos.get(node, 'machinestatus', 'machine', signal),
      talos.get(node, 'version', undefined, signal),
      talos.get(node, 'extensions', undefined, signal),
    ])
    if (!booted.ok || !status.ok || !versions.ok || !extensions.ok)
      return unreadable(...[booted, status, versions, extensions].filter((read) => !read.ok))
    const name = titleOf(node)
    const now = booted.value
    if (now === '') return waiting(`${name}: has no boot id`)
    if (now === bootId.trim()) return 'not booted'
    const runs = String(versions.value[0]?.spec.version ?? '')
    const layer = extensions.value.map(({ spec }) => spec.metadata as Layer | undefined)
    const has = layer.find((one) => one?.name === 'schematic')?.version ?? 'none'
    if (runs === version && has === schematic)
      return {
        status: 'pass',
        detail: `${name} runs ${version} with schematic ${schematic.slice(0, 8)}, boot ${now}`,
      }
    const faults = [
      ...(runs === version ? [] : [`runs ${runs || 'an unknown version'}, not ${version}`]),
      ...(has === schematic ? [] : [`has schematic ${has.slice(0, 8)}, not ${schematic.slice(0, 8)}`]),
    ]
    // A staged upgrade boots twice, and is not `running` in between.
    const stage = String(status.value[0]?.spec.stage ?? 'unknown')
    if (stage !== 'running') return waiting(`${name}: ${faults.join(', ')}, and is ${stage}`)
    const back = runs === version ? '' : ': it went back to the image that it had'
    return {
      status: 'fail',
      detail: `${name} has booted and ${faults.join(', ')}${back}`,
      next: `find out why on its console or with talosctl -n ${node} dmesg; the upgrade can be tried again`,
      final: true,
    }
  }
}

interface Layer {
  name?: string
  version?: string
}

const waiting = (detail: string): Verdict => ({ status: 'fail', detail, waitingFor: [detail] })

const refused = (lines: string[], next: string): Verdict => ({
  status: 'fail',
  detail: lines.join('; '),
  waitingFor: lines,
  next,
  final: true,
  cause: 'configuration',
})
