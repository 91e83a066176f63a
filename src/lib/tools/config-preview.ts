/** What a newly generated config would change on each machine. Reads only: talosctl's dry run, and the config that runs. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Exec } from '../exec/types.ts'
import type { ClusterNode, Result } from '../types.ts'
import { type ConfigChange, configChanges } from './machine-config.ts'
import type { GenconfigPaths } from './talhelper.args.ts'
import { createMachineConfigPort } from './talhelper.ts'
import { createTalosPort } from './talos-port.ts'
import { talosMessage } from './talosctl.parse.ts'
import { type ApplyEffect, parseDryRun } from './talosctl-dry-run.parse.ts'
import { dryRunConfigArgs } from './talosctl-node.args.ts'

export interface NodePreview {
  node: ClusterNode
  /** What the machine says that applying would do; not asked when the secrets are others. */
  effect: Result<ApplyEffect>
  changes: ConfigChange[]
}

export interface PreviewRequest {
  root: string
  cluster: string
  /** 1Password reference of the key that the secrets are encrypted to. */
  ageKey: string
  paths: GenconfigPaths
  nodes: ClusterNode[]
  exec: Exec
  signal: AbortSignal
}

const timeoutSec = 60

/**
 * Configs and talosconfig are made anew for it, so that nothing on the disk has to be up to date. A machine that can't be
 * asked has an effect that is not `ok`.
 */
export function previewConfigs(request: PreviewRequest): Promise<Result<NodePreview[]>> {
  const { root, ageKey, exec, paths, nodes, signal } = request
  return createMachineConfigPort(root, ageKey, exec).withGenerated(paths, signal, async (directory) => {
    const previews = await Promise.all(nodes.map((node) => previewOne(request, directory, node)))
    return { ok: true, value: previews }
  })
}

async function previewOne(request: PreviewRequest, directory: string, node: ClusterNode): Promise<NodePreview> {
  const { root, cluster, exec, signal } = request
  const talosconfig = `${directory}/talosconfig`
  const file = `${directory}/${cluster}-${node.hostname}.yaml`
  const talos = createTalosPort({ root, talosconfig }, exec)
  const none = (effect: Result<never>): NodePreview => ({ node, effect, changes: [] })
  const state = await talos.state(node.address, signal)
  if (!state.ok) return none(state)
  if (state.value !== 'ours')
    return none({ ok: false, why: state.value === 'down' ? 'unreachable' : 'denied', detail: meaning[state.value] })
  const running = await talos.machineConfig(node.address, signal)
  if (!running.ok) return none(running)
  const changes = configChanges(running.value, await readFile(join(root, file), 'utf8'))
  if (!changes.ok) return none(changes)
  // Machines with other secrets are no place to send ours to, not even for a dry run.
  if (changes.value.some(({ identity }) => identity))
    return {
      node,
      effect: { ok: false, why: 'denied', detail: 'its secrets are not those of talsecret.sops.yaml' },
      changes: changes.value,
    }
  const said = await exec({ pipeline: [dryRunConfigArgs(talosconfig, node.address, file)], timeoutSec, signal })
  const effect: Result<ApplyEffect> =
    said.exitCode === 0 ? parseDryRun(said.stderr) : { ok: false, why: 'failed', detail: talosMessage(said) }
  return { node, effect, changes: changes.value }
}

const meaning = {
  down: 'it does not answer on port 50000',
  maintenance: 'it has no config yet (maintenance mode)',
  'foreign-pki': "it is configured with another cluster's certificates",
  'certificate-without-address': 'its certificate does not name the address that we dial',
} as const
