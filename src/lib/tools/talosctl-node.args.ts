/** Argv of talosctl 1.12 that changes a machine which is configured: its config, and whether it stays. */
import type { Command } from '../types.ts'
import { secure } from './talosctl.args.ts'

/** `auto` lets the machine decide, and it may reboot without a drain: only for a dry run, which tells what it would do. */
export type ApplyMode = 'auto' | 'no-reboot' | 'reboot'

/** @param file machine config, relative to the repository's root */
export function applyConfigArgs(talosconfig: string, node: string, file: string, mode: ApplyMode): Command {
  return secure(talosconfig, node, ['apply-config', '-f', file, '--mode', mode])
}

/**
 * What `applyConfigArgs` would do, with the machine's own judgement whether it needs a reboot. It prints a diff of the whole
 * config on stderr, secrets included: its output is for parseDryRun and for nobody's eyes.
 */
export function dryRunConfigArgs(talosconfig: string, node: string, file: string): Command {
  return secure(talosconfig, node, ['apply-config', '-f', file, '--mode', 'auto', '--dry-run'])
}

/** The node's own console in this terminal. */
export function dashboardArgs(talosconfig: string, node: string): Command {
  return secure(talosconfig, node, ['dashboard'])
}

/**
 * Logs and state of machines in one zip, for a bug report. The file must not exist: talosctl 1.12 would ask on its standard
 * input whether to replace it. Whatever a machine does not give is listed, and the exit code is 0 nevertheless.
 * @param endpoint address of a control plane, which is dialled for all of them
 * @param nodes addresses
 */
export function supportArgs(talosconfig: string, endpoint: string, nodes: string[], file: string): Command {
  return {
    tool: 'talosctl',
    args: ['--talosconfig', talosconfig, '-e', endpoint, '-n', nodes.join(','), 'support', '-O', file],
  }
}

export interface ResetOptions {
  /** Drains, and leaves etcd; that leaving failed is only in the machine's log (1.12). */
  graceful: boolean
  /** Labels of system partitions, and `u-<name>` of user volumes. Without any, talosctl wipes the whole disk and powers off. */
  wipe: string[]
  timeoutSec: number
}

/** Wipes parts of a machine and restarts it: without STATE it waits for a first config, without EPHEMERAL it has lost etcd. */
export function resetArgs(talosconfig: string, node: string, { graceful, wipe, timeoutSec }: ResetOptions): Command {
  const labels = wipe.flatMap((label) => ['--system-labels-to-wipe', label])
  const flags = [`--graceful=${graceful}`, '--reboot', '--timeout', `${timeoutSec}s`]
  return secure(talosconfig, node, ['reset', ...labels, ...flags])
}

/** Of a machine that goes on: Talos refuses a disk that it uses itself. @param device as its resource is called, `nvme1n1` */
export function wipeDiskArgs(talosconfig: string, node: string, device: string): Command {
  return secure(talosconfig, node, ['wipe', 'disk', device])
}
