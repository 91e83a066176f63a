/** The TalosPort: reads through the Talos API; only which state a machine is in is asked of the pinned talosctl. */
import { join } from 'node:path'
import type { Exec } from '../exec/types.ts'
import type { Result, TalosPort } from '../types.ts'
import { readDiscoveredVolumes } from './discovered-volumes.ts'
import { machineState } from './machine-state.ts'
import { callTalos } from './talos-api/call.ts'
import { createIdentityReader } from './talos-api/identity.ts'
import {
  type Call,
  readEtcdAlarms,
  readEtcdMembers,
  readEtcdStatus,
  readFile,
  readMachineConfig,
  readResources,
} from './talos-api/reads.ts'

export interface TalosReads extends TalosPort {
  /** The machine config that is active: its documents as YAML, secrets included. */
  machineConfig(node: string, signal?: AbortSignal): Promise<Result<string>>
}

/** @param target where talosconfig is; it may not exist yet */
export function createTalosPort(target: { root: string; talosconfig: string }, exec: Exec): TalosReads {
  const talosconfig = { path: target.talosconfig, absolute: join(target.root, target.talosconfig) }
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
  return {
    state: (node, signal) => machineState(node, talosconfig, exec, signal),
    discoveredVolumes: (node, signal) => readDiscoveredVolumes(node, exec, signal),
    get: (node, type, id, signal) => readResources(to(node, signal), type, id),
    machineConfig: (node, signal) => readMachineConfig(to(node, signal)),
    etcdMembers: (node, signal) => readEtcdMembers(to(node, signal)),
    etcdStatus: (node, signal) => readEtcdStatus(to(node, signal)),
    etcdAlarms: (node, signal) => readEtcdAlarms(to(node, signal)),
    bootId: async (node, signal) => {
      const read = await readFile(to(node, signal), '/proc/sys/kernel/random/boot_id')
      return read.ok ? { ok: true, value: read.value.trim() } : read
    },
    read: (node, path, signal) => readFile(to(node, signal), path),
  }
}
