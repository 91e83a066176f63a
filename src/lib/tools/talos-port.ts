/** The TalosPort: reads through the Talos API; only which state a machine is in is asked of the pinned talosctl. */
import { join } from 'node:path'
import type { Exec } from '../exec/types.ts'
import type { Result, TalosPort } from '../types.ts'
import { machineState } from './machine-state.ts'
import { createTalosClient } from './talos-api/client.ts'
import { type Identity, readIdentity } from './talos-api/identity.ts'
import {
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
  const client = createTalosClient(async (): Promise<Result<Identity>> => {
    const identity = await readIdentity(talosconfig.absolute)
    if (identity.ok || identity.why !== 'not-found') return identity
    return { ok: false, why: 'unreachable', detail: `there is no ${target.talosconfig} yet (k8sops talos gen)` }
  })
  return {
    state: (node, signal) => machineState(node, talosconfig, exec, signal),
    get: (node, type, id, signal) => readResources(client, node, type, id, signal),
    machineConfig: (node, signal) => readMachineConfig(client, node, signal),
    etcdMembers: (node, signal) => readEtcdMembers(client, node, signal),
    etcdStatus: (node, signal) => readEtcdStatus(client, node, signal),
    etcdAlarms: (node, signal) => readEtcdAlarms(client, node, signal),
    bootId: async (node, signal) => {
      const read = await readFile(client, node, '/proc/sys/kernel/random/boot_id', signal)
      return read.ok ? { ok: true, value: read.value.trim() } : read
    },
    read: (node, path, signal) => readFile(client, node, path, signal),
  }
}
