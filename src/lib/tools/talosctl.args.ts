/**
 * Argv of talosctl 1.12. Every call names one node: with several, `--insecure` picks one at random and `bootstrap`
 * refuses. `-e` is always the node itself, never the VIP, which needs the very things that are looked at here.
 */
import type { Command } from '../types.ts'

const talosctl = (args: string[]): Command => ({ tool: 'talosctl', args })

/** @param talosconfig path relative to the repository's root; `node` an address */
export function secure(talosconfig: string, node: string, args: string[]): Command {
  return talosctl(['--talosconfig', talosconfig, '-e', node, '-n', node, ...args])
}

/** The machine's stage as an unconfigured machine tells it (maintenance API, no client certificate). */
export function insecureMachineStatusArgs(node: string): Command {
  return talosctl(['-n', node, 'get', 'machinestatus', '--insecure', '-o', 'json'])
}

/** What a machine without a config finds on its disks: file systems, partitions, Ceph's OSDs. */
export function discoveredVolumesArgs(node: string): Command {
  return talosctl(['-n', node, 'get', 'discoveredvolumes', '--insecure', '-o', 'json'])
}

/**
 * Wipes disks and partitions of a machine without a config; a partition goes as a whole.
 * @param devices as their resources are called, without `/dev/`
 */
export function wipeDisksArgs(node: string, devices: string[]): Command {
  return talosctl(['-n', node, 'wipe', 'disk', '--insecure', '--drop-partition', ...devices])
}

/** The same as a machine tells it that takes our certificate. */
export function machineStatusArgs(talosconfig: string, node: string): Command {
  return secure(talosconfig, node, ['get', 'machinestatus', '-o', 'json'])
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

/** Gives etcd's leadership to another member. On a member that doesn't lead it does nothing, and exits 0. */
export function forfeitLeadershipArgs(talosconfig: string, node: string): Command {
  return secure(talosconfig, node, ['etcd', 'forfeit-leadership'])
}

/**
 * Copies the node's etcd to a file of this machine. 1.12 checks the hash at its end and opens it as a database before
 * it gets its name (`FILE.part` until then).
 * @param file absolute: etcd holds every Secret, so the file stands outside the repository
 */
export function etcdSnapshotArgs(talosconfig: string, node: string, file: string): Command {
  return secure(talosconfig, node, ['etcd', 'snapshot', file])
}

export type RebootMode = 'default' | 'powercycle'

export interface UpgradeOptions {
  /** With tag, `factory.talos.dev/metal-installer/<schematic>:v1.12.11`. Without it talosctl takes its own version's installer, which has no extension. */
  image: string
  /** Installs at the next boot instead of now (two reboots): the way around file systems that can't be unmounted. */
  stage?: boolean
  /** `powercycle` goes through the firmware; the default is kexec. */
  rebootMode?: RebootMode
  /** How long talosctl follows the upgrade. */
  timeoutSec: number
}

/**
 * Upgrades one machine, and follows it. Its exit code is a hint only: 1.12 exits 0 when it is interrupted while it waits, and
 * after a rollback to the old version; and 1 without a word when its time is over. What became of the machine is read back.
 */
export function upgradeArgs(talosconfig: string, node: string, options: UpgradeOptions): Command {
  const { image, stage, rebootMode, timeoutSec } = options
  return secure(talosconfig, node, [
    'upgrade',
    '--image',
    image,
    ...(stage ? ['--stage'] : []),
    ...(rebootMode && rebootMode !== 'default' ? ['--reboot-mode', rebootMode] : []),
    '--timeout',
    `${timeoutSec}s`,
  ])
}

/**
 * Upgrades Kubernetes on every node, from one control plane. It goes on where an earlier call stopped. Without the two flags
 * 1.12 writes every commented example into the machine configs.
 */
export function upgradeKubernetesArgs(talosconfig: string, node: string, version: string): Command {
  const to = version.replace(/^v/, '')
  return secure(talosconfig, node, ['upgrade-k8s', '--to', to, '--with-docs=false', '--with-examples=false'])
}

/** Restarts one machine, and follows it. It neither cordons nor drains, and exits 0 when it is interrupted while it waits (1.12). */
export function rebootArgs(
  talosconfig: string,
  node: string,
  options: { mode?: RebootMode; timeoutSec: number },
): Command {
  const { mode, timeoutSec } = options
  return secure(talosconfig, node, [
    'reboot',
    ...(mode && mode !== 'default' ? ['--mode', mode] : []),
    '--timeout',
    `${timeoutSec}s`,
  ])
}
