/** The TalosPort: reads through the Talos API; only which state a machine is in is asked of the pinned talosctl. */
import { join } from 'node:path'
import type { Exec } from '../exec/types.ts'
import type { Result, TalosPort } from '../types.ts'
import type { Call } from './talos-api/reads.ts'

export interface TalosReads extends TalosPort {
  /** The machine config that is active: its documents as YAML, secrets included. */
  machineConfig(node: string, signal?: AbortSignal): Promise<Result<string>>
}

/** @param target where talosconfig is; it may not exist yet */
export function createTalosPort(target: { root: string; talosconfig: string }, exec: Exec): TalosReads {
  const talosconfig = { path: target.talosconfig, absolute: join(target.root, target.talosconfig) }
  // Loaded by the first read: whoever looks through gates is given this port, and most of them ask no machine.
  const load = async () => {
    const [{ callTalos }, { createIdentityReader }, reads] = await Promise.all([
      import('./talos-api/call.ts'),
      import('./talos-api/identity.ts'),
      import('./talos-api/reads.ts'),
    ])
    /** Asked anew each time: making the machine configs makes another certificate. */
    const identityNow = createIdentityReader(talosconfig.absolute)
    const to =
      (node: string, signal?: AbortSignal): Call =>
      async (path, request = Buffer.alloc(0)) => {
        const identity = await identityNow()
        if (identity.ok) return callTalos(node, identity.value, path, request, signal)
        if (identity.why !== 'not-found') return identity
        return { ok: false, why: 'unreachable', detail: `there is no ${target.talosconfig} yet (k8sops talos gen)` }
      }
    return { ...reads, to }
  }
  let loading: ReturnType<typeof load> | undefined
  const api = () => {
    loading ??= load()
    return loading
  }
  return {
    async state(node, signal) {
      const { machineState } = await import('./machine-state.ts')
      return machineState(node, talosconfig, exec, signal)
    },
    async discoveredVolumes(node, signal) {
      const { readDiscoveredVolumes } = await import('./discovered-volumes.ts')
      return readDiscoveredVolumes(node, exec, signal)
    },
    async get(node, type, id, signal) {
      const { readResources, to } = await api()
      return readResources(to(node, signal), type, id)
    },
    async machineConfig(node, signal) {
      const { readMachineConfig, to } = await api()
      return readMachineConfig(to(node, signal))
    },
    async etcdMembers(node, signal) {
      const { readEtcdMembers, to } = await api()
      return readEtcdMembers(to(node, signal))
    },
    async etcdStatus(node, signal) {
      const { readEtcdStatus, to } = await api()
      return readEtcdStatus(to(node, signal))
    },
    async etcdAlarms(node, signal) {
      const { readEtcdAlarms, to } = await api()
      return readEtcdAlarms(to(node, signal))
    },
    async bootId(node, signal) {
      const { readFile, to } = await api()
      const read = await readFile(to(node, signal), '/proc/sys/kernel/random/boot_id')
      return read.ok ? { ok: true, value: read.value.trim() } : read
    },
    async read(node, path, signal) {
      const { readFile, to } = await api()
      return readFile(to(node, signal), path)
    },
  }
}
