/** What machines say of themselves, and how they are asked. Imported through types.ts. */
import type { Result } from './types.ts'

/** A machine's state as a client sees it (reference talos.md 1.2). */
export type NodeState = 'down' | 'maintenance' | 'ours' | 'foreign-pki' | 'certificate-without-address'

/** What a node's own etcd says of itself. Ids are 16 hex digits. */
export interface EtcdStatus {
  member: string
  /** All zeros while there is no leader. */
  leader: string
  learner: boolean
  raftIndex: number
  raftTerm: number
  raftAppliedIndex: number
  dbBytes: number
  /** Far below `dbBytes` means that it wants to be defragmented. */
  dbBytesInUse: number
  /** Empty when it has none. */
  errors: string
}

/** As etcd knows it; one that never started has no hostname. */
export interface EtcdMember {
  id: string
  hostname: string
  learner: boolean
}

/** Kinds of resources of a machine that we read, by the names that `talosctl get` takes. */
export type TalosResourceType =
  | 'discoveredvolumes'
  | 'extensions'
  | 'machinestatus'
  | 'members'
  | 'nodename'
  | 'services'
  | 'timestatus'
  | 'version'

export interface TalosResource {
  metadata: { id: string }
  spec: { [key: string]: unknown }
}

/** Reads of the Talos API. `node` is an address, which is dialled. */
export interface TalosPort {
  state(node: string, signal?: AbortSignal): Promise<Result<NodeState>>
  /** What is on the disks of a machine that waits for its first config: its DiscoveredVolumes (Talos 1.12). */
  discoveredVolumes(node: string, signal?: AbortSignal): Promise<Result<TalosResource[]>>
  /** What `talosctl get TYPE [ID]` shows. */
  get(node: string, type: TalosResourceType, id?: string, signal?: AbortSignal): Promise<Result<TalosResource[]>>
  etcdMembers(node: string, signal?: AbortSignal): Promise<Result<EtcdMember[]>>
  /** Of the etcd on `node`, a control plane. */
  etcdStatus(node: string, signal?: AbortSignal): Promise<Result<EtcdStatus>>
  /** Alarms that are raised anywhere in the etcd cluster (`NOSPACE`, `CORRUPT`), as `node` knows them. */
  etcdAlarms(node: string, signal?: AbortSignal): Promise<Result<{ member: string; alarm: string }[]>>
  /** Another one after each boot, and the same until then. */
  bootId(node: string, signal?: AbortSignal): Promise<Result<string>>
  /** A small file of the machine, e.g. `/proc/stat`. */
  read(node: string, path: string, signal?: AbortSignal): Promise<Result<string>>
}
