/** Argv of talosctl 1.12 that changes who is in etcd. One control plane at a time, each told by itself. */
import type { Command } from '../types.ts'
import { secure } from './talosctl.args.ts'

/** Starts a new etcd cluster from a snapshot; every control plane must have lost its etcd data before. */
export function recoverEtcdArgs(talosconfig: string, node: string, file: string): Command {
  return secure(talosconfig, node, ['bootstrap', `--recover-from=${file}`])
}

/** Takes a member that is gone for good out of the membership, said to another control plane. @param id 16 hex digits */
export function removeEtcdMemberArgs(talosconfig: string, node: string, id: string): Command {
  return secure(talosconfig, node, ['etcd', 'remove-member', id])
}
