/** The composition root's part for gates: fills the ports that probes look through. Imported by src/main.ts only when a gate is needed. */
import { join } from 'node:path'
import type { OpenedCluster } from './lib/cli/services.ts'
import type { GatePort } from './lib/engine/ports.ts'
import type { Exec, Redactor } from './lib/exec/types.ts'
import { createGatePort } from './lib/gates/evaluate.ts'
import type { GatePorts, ToolState } from './lib/gates/ports.ts'
import { createProbes } from './lib/gates/probes/index.ts'
import { readAccess } from './lib/kube/kubeconfig.ts'
import { layout } from './lib/repo/layout.ts'
import { catalog, pinnedVersion, toolNamed } from './lib/tools/catalog.ts'
import { createOpPort } from './lib/tools/op.ts'
import { firstOnPath, resolveTool, toolVersions } from './lib/tools/resolve.ts'
import { decryptTalosSecrets } from './lib/tools/sops.ts'
import { createMachineConfigPort } from './lib/tools/talhelper.ts'
import type { KubePort, TalosPort } from './lib/types.ts'

interface Ports {
  kube: KubePort
  talos: TalosPort
  exec: Exec
  redactor: Redactor
}

/** The gates of one cluster, looking at its live state. */
export function createGates(opened: OpenedCluster, ports: Ports): GatePort {
  const { kube, talos } = ports
  const probes = createProbes(createGatePorts(opened, ports), kube, talos)
  return createGatePort({ kube, talos, probes, timeScale: opened.target.timeScale })
}

export function createGatePorts(opened: OpenedCluster, { exec, redactor }: Ports): GatePorts {
  const { repository, cluster, target } = opened
  const op = createOpPort(exec)
  const machineConfigs = createMachineConfigPort(target.root, repository.ageKey, exec)
  const paths = {
    talconfig: layout.talconfig(cluster.name),
    talsecret: layout.talsecret(cluster.name),
    out: layout.clusterconfig(cluster.name),
  }

  const talosSecrets: GatePorts['talosSecrets'] = (signal) =>
    decryptTalosSecrets(join(target.root, paths.talsecret), async () => {
      const key = await op.read(repository.ageKey, signal)
      if (key.ok) redactor.add(key.value)
      return key
    })

  return {
    target,
    cluster,
    problems: async () => repository.problems,
    tools: (names) => toolStates(names, { ...process.env, ...target.env }),
    signedIn: (signal) => op.signedIn(signal),
    talosSecrets,
    async staleConfigs(signal) {
      const secrets = await talosSecrets(signal)
      if (!secrets.ok) return { ok: false, why: 'failed', detail: secrets.detail }
      return machineConfigs.stale(paths, secrets.value.talosCa, signal)
    },
    configFault: (file, signal) => machineConfigs.fault(file, signal),
    async kubeContext() {
      const access = await readAccess(target.kubeconfig, target.context)
      if (access.ok)
        return { ok: true, value: { server: access.value.server, ca: access.value.ca?.toString('utf8') ?? '' } }
      return access.why === 'not-found' ? { ok: true, value: undefined } : access
    },
  }
}

/** Tools of the chain in their pinned version; those that aren't in it (`op`, `git`) in any. */
function toolStates(names: string[], env: NodeJS.ProcessEnv): ToolState[] {
  const pinned = new Set(catalog.map((tool) => tool.name))
  const found = new Map(names.filter((name) => pinned.has(name)).map((name) => [name, resolveTool(name, { env })]))
  // Only for the message: asking a stranger on PATH for its version starts it.
  const strangers = [...found.values()].includes(undefined) ? toolVersions({ env }) : []
  return names.map((name) => {
    if (!pinned.has(name)) return { name, path: firstOnPath(name, env) }
    const other = strangers.find((tool) => tool.name === name)?.onPath
    const path = found.get(name)?.path
    return { name, pinned: pinnedVersion(toolNamed(name)), path, ...(other === undefined ? {} : { onPath: other }) }
  })
}
