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
