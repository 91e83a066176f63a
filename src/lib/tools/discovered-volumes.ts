/** What a machine without a config finds on its disks, as the pinned talosctl reads it: there is no certificate that it would take. */
import type { Exec } from '../exec/types.ts'
import type { Result, TalosResource } from '../types.ts'
import { discoveredVolumesArgs } from './talosctl.args.ts'
import { talosMessage } from './talosctl.parse.ts'

/** As in machine-state.ts: talosctl itself would try for 20 s. */
const timeoutSec = 8

export async function readDiscoveredVolumes(
  node: string,
  exec: Exec,
  signal?: AbortSignal,
): Promise<Result<TalosResource[]>> {
  const said = await exec({ pipeline: [discoveredVolumesArgs(node)], timeoutSec, ...(signal ? { signal } : {}) })
  if (said.exitCode !== 0) return { ok: false, why: 'failed', detail: `${node}: ${talosMessage(said)}` }
  try {
    return { ok: true, value: concatenated(said.stdout) }
  } catch (error) {
    return {
      ok: false,
      why: 'bad-output',
      detail: `${node}: talosctl get discoveredvolumes: ${(error as Error).message}`,
    }
  }
}

/** talosctl 1.12 prints one indented JSON object after the other. */
export const concatenated = (text: string): TalosResource[] =>
  text
    .split(/^(?=\{)/m)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part) as TalosResource)
