/** What each machine runs, as it says itself. For tables: what can't be read stands as null, with the reason beside it. */
import type { ClusterNode, Json, TalosPort } from '../types.ts'
import { parseVersion } from './skew.ts'

export interface MachineView {
  node: ClusterNode
  /** `v1.12.11` */
  talos: string | null
  /** Id of the image factory's schematic; empty for another image. */
  schematic: string | null
  /** Without the schematic itself. */
  extensions: string[] | null
  bootId: string | null
  bootedAt: Date | null
  /** Why something is null. */
  problem: string
}

export function observeMachineViews(
  talos: TalosPort,
  nodes: ClusterNode[],
  signal: AbortSignal,
): Promise<MachineView[]> {
  return Promise.all(nodes.map((node) => observeMachine(talos, node, signal)))
}

async function observeMachine(talos: TalosPort, node: ClusterNode, signal: AbortSignal): Promise<MachineView> {
  const { address } = node
  const [version, extensions, bootId, stat] = await Promise.all([
    talos.get(address, 'version', undefined, signal),
    talos.get(address, 'extensions', undefined, signal),
    talos.bootId(address, signal),
    talos.read(address, '/proc/stat', signal),
  ])
  const failed = [version, extensions, bootId, stat].flatMap((read) => (read.ok ? [] : [read.detail]))
  const layers = extensions.ok ? extensions.value.map(({ spec }) => spec.metadata as Layer | undefined) : []
  return {
    node,
    talos: version.ok ? String(version.value[0]?.spec.version ?? '') || null : null,
    // The factory adds an extension of that name to every image; its version is the schematic's id.
    schematic: extensions.ok ? (layers.find((layer) => layer?.name === 'schematic')?.version ?? '') : null,
    extensions: extensions.ok
      ? layers.flatMap((layer) => (layer?.name && layer.name !== 'schematic' ? [layer.name] : []))
      : null,
    bootId: bootId.ok ? bootId.value : null,
    bootedAt: stat.ok ? bootTime(stat.value) : null,
    problem: failed[0] ?? '',
  }
}

interface Layer {
  name?: string
  version?: string
}

/** The kernel's `btime`, seconds since 1970: when it was booted, whoever asks and whatever the clock said meanwhile. */
export function bootTime(procStat: string): Date | null {
  const [, seconds] = /^btime (\d+)$/m.exec(procStat) ?? []
  return seconds === undefined ? null : new Date(Number(seconds) * 1000)
}

/** Where a machine stands beside what Git wants of it. */
export type Standing = 'current' | 'behind' | 'ahead' | 'other image' | 'unknown'

export function standingOf(
  runs: { talos: string | null; schematic: string | null },
  wanted: { version: string; schematic: string } | undefined,
): Standing {
  const [has, wants] = [parseVersion(runs.talos ?? ''), parseVersion(wanted?.version ?? '')]
  if (!has || !wants || !wanted) return 'unknown'
  const distance = [has.major - wants.major, has.minor - wants.minor, has.patch - wants.patch].find(
    (step) => step !== 0,
  )
  if (distance !== undefined) return distance < 0 ? 'behind' : 'ahead'
  return runs.schematic === wanted.schematic ? 'current' : 'other image'
}

/** `2026-11-24T12:00:00Z` or null, for JSON. */
export const isoOf = (at: Date | null): Json => (at === null ? null : at.toISOString().replace(/\.\d+Z$/, 'Z'))
