/**
 * Argv of talosctl 1.12. Every call names one node: with several, `--insecure` picks one at random and `bootstrap`
 * refuses. `-e` is always the node itself, never the VIP, which needs the very things that are looked at here.
 */
import type { Command } from '../types.ts'

const talosctl = (args: string[]): Command => ({ tool: 'talosctl', args })

/** @param talosconfig path relative to the repository's root; `node` an address */
function secure(talosconfig: string, node: string, args: string[]): Command {
  return talosctl(['--talosconfig', talosconfig, '-e', node, '-n', node, ...args])
}

/** The machine's stage as an unconfigured machine tells it (maintenance API, no client certificate). */
export function insecureMachineStatusArgs(node: string): Command {
  return talosctl(['-n', node, 'get', 'machinestatus', '--insecure', '-o', 'json'])
}

export function getArgs(talosconfig: string, node: string, type: string, id?: string): Command {
  return secure(talosconfig, node, ['get', type, ...(id ? [id] : []), '-o', 'json'])
}

/** A table; 1.12 has no JSON for it. Asks the node's own etcd. */
export function etcdMembersArgs(talosconfig: string, node: string): Command {
  return secure(talosconfig, node, ['etcd', 'members'])
}

/** First configuration of a machine in maintenance mode. It installs, reboots and then answers with our certificates. */
export function applyConfigInsecureArgs(node: string, file: string): Command {
  return talosctl(['apply-config', '--insecure', '-n', node, '-f', file])
}

export function bootstrapArgs(talosconfig: string, node: string): Command {
  return secure(talosconfig, node, ['bootstrap'])
}

/**
 * The admin kubeconfig on stdout. talosctl's own merge isn't used: it ignores `--force-context-name` when the file
 * does not exist yet, switches the current context, and does not replace the file atomically (cmd/talos/kubeconfig.go).
 */
export function kubeconfigArgs(talosconfig: string, node: string): Command {
  return secure(talosconfig, node, ['kubeconfig', '--merge=false', '-'])
}

/** Checks a generated machine config offline; warnings count as errors. */
export function validateArgs(file: string): Command {
  return talosctl(['validate', '-m', 'metal', '--strict', '-c', file])
}
