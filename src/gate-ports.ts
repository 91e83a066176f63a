/** The composition root's part for gates: fills the ports that probes look through. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { OpenedCluster } from './lib/cli/services.ts'
import { UsageError } from './lib/errors.ts'
import type { Exec, Redactor } from './lib/exec/types.ts'
import type { GatePorts, ToolState } from './lib/gates/ports.ts'
import { readAccess } from './lib/kube/kubeconfig.ts'
import { layout } from './lib/repo/layout.ts'
import { quietGit } from './lib/repo/revision.ts'
import { firingAlerts, openSilences } from './lib/tools/alertmanager.ts'
import { catalog, pinnedVersion, toolNamed } from './lib/tools/catalog.ts'
import { checkIds, githubAccess } from './lib/tools/github.ts'
import { imageManifest } from './lib/tools/image-manifest.ts'
import { fileDigestsArgs, parseDigests } from './lib/tools/kubectl-secrets.args.ts'
import { findService, type Peer } from './lib/tools/monitoring.ts'
import { createOpPort } from './lib/tools/op.ts'
import { firstOnPath, resolveTool, toolVersions } from './lib/tools/resolve.ts'
import { serverCertificate } from './lib/tools/server-certificate.ts'
import { readSnapshot } from './lib/tools/snapshot-file.ts'
import { decryptTalosSecrets } from './lib/tools/sops.ts'
import { createMachineConfigPort } from './lib/tools/talhelper.ts'
import { talosPort } from './lib/tools/talos-api/connection.ts'
import { readIdentity } from './lib/tools/talos-api/identity.ts'
import { talosMessage } from './lib/tools/talosctl.parse.ts'
import { parseDryRun } from './lib/tools/talosctl-dry-run.parse.ts'
import { dryRunConfigArgs } from './lib/tools/talosctl-node.args.ts'
import type { KubePort, TalosPort, Target } from './lib/types.ts'

export interface Ports {
  kube: KubePort
  talos: TalosPort
  exec: Exec
  redactor: Redactor
  /** The cluster itself, then the others of the repository: where its alerts may go. */
  peers: () => Promise<Peer[]>
}

export function createGatePorts(opened: OpenedCluster, { exec, redactor, peers }: Ports): GatePorts {
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
    async secretValue(reference, signal) {
      const read = await createOpPort(exec).read(reference, signal)
      if (read.ok) redactor.add(read.value)
      return read
    },
    async fileDigests(at, paths, signal) {
      const pipeline = [fileDigestsArgs(target.context, at, paths)]
      const said = await exec({ pipeline, timeoutSec: 20, signal })
      if (said.exitCode === 0) return { ok: true, value: parseDigests(said.stdout) }
      return { ok: false, why: 'failed', detail: said.tail.at(-1) ?? `kubectl exec ended with ${said.exitCode}` }
    },
    async staleConfigs(signal) {
      const secrets = await talosSecrets(signal)
      if (!secrets.ok) return { ok: false, why: 'failed', detail: secrets.detail }
      return machineConfigs.stale(paths, secrets.value.talosCa, signal)
    },
    configFault: (file, signal) => machineConfigs.fault(file, signal),
    imageManifest: (image, signal) => imageManifest(image, { ...process.env, ...target.env }, signal),
    async etcdSnapshot(path) {
      try {
        return { ok: true, value: await readSnapshot(resolve(target.root, path)) }
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        return { ok: false, why: 'not-found', detail: error.message }
      }
    },
    async configEffect(address, signal) {
      const node = cluster.nodes.find((one) => one.address === address)
      const file = `${paths.out}/${cluster.name}-${node?.hostname ?? address}.yaml`
      const pipeline = [dryRunConfigArgs(target.talosconfig, address, file)]
      const said = await exec({ pipeline, timeoutSec: 30, signal })
      if (said.exitCode === 0) return parseDryRun(said.stderr)
      return { ok: false, why: 'failed', detail: `${node?.hostname ?? address}: ${talosMessage(said)}` }
    },
    async alerts(signal) {
      const service = await findService('alerts', repository.monitoring, await peers(), signal)
      if (!service.ok) return service
      const alerts = await firingAlerts(service.value, signal)
      return alerts.ok ? { ok: true, value: { alerts: alerts.value, home: service.value.home ?? '' } } : alerts
    },
    async silences(signal) {
      const service = await findService('alerts', repository.monitoring, await peers(), signal)
      return service.ok ? openSilences(service.value, signal) : service
    },
    git: (args, signal) => quietGit(target.root, signal)(args),
    async checks(repository, commit, signal) {
      const access = githubAccess(process.env)
      if (access) return checkIds(access, repository, commit, signal)
      return { ok: false, why: 'denied', detail: 'there is no GITHUB_TOKEN' }
    },
    peer: async (name) => (await peers()).find((one) => one.cluster === name)?.kube,
    clientCertificates: () => clientCertificates(target),
    now: Date.now,
    async talconfigNames(hostname) {
      const { namesNode } = await import('./lib/tools/talconfig-edit.ts')
      return namesNode(await readFile(join(target.root, paths.talconfig), 'utf8'), hostname)
    },
    async machineCertificate(node, signal) {
      const shown = await serverCertificate(node, talosPort, signal)
      return shown.ok ? { ok: true, value: shown.value.toString() } : shown
    },
    async kubeContext() {
      const access = await readAccess(target.kubeconfig, target.context)
      if (access.ok)
        return { ok: true, value: { server: access.value.server, ca: access.value.ca?.toString('utf8') ?? '' } }
      return access.why === 'not-found' ? { ok: true, value: undefined } : access
    },
  }
}

/** A kubeconfig may have another way in than a certificate; a talosconfig has none. */
async function clientCertificates(target: Target): ReturnType<GatePorts['clientCertificates']> {
  const talosconfig = await readIdentity(join(target.root, target.talosconfig))
  if (!talosconfig.ok) return talosconfig
  const access = await readAccess(target.kubeconfig, target.context)
  if (!access.ok) return access
  const { cert } = access.value
  return {
    ok: true,
    value: [
      { file: target.talosconfig, pem: talosconfig.value.crt },
      ...(cert ? [{ file: target.kubeconfig, pem: cert.toString('utf8') }] : []),
    ],
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
