/** Fills in what the command line needs (src/lib/cli/services.ts) with the real thing, loaded on use. */
import { dirname, join } from 'node:path'
import type { ExecOptions, OpenedCluster, Services } from './lib/cli/services.ts'
import type { BasisPort } from './lib/engine/ports.ts'
import { ConfigError } from './lib/errors.ts'
import type { Exec, Redactor } from './lib/exec/types.ts'
import type { Plan, ToolName } from './lib/types.ts'

/** Tools that a tool starts by itself, so that they must be on its PATH too. */
const companions: Partial<Record<ToolName, ToolName[]>> = { helmfile: ['helm', 'kustomize', 'sops'] }
/** Not pinned by us: whatever PATH has. */
const unpinned = new Set<ToolName>(['cilium', 'git', 'op'])

export function createServices(binDir: string): Services {
  let redactor: Redactor | undefined
  return {
    openRepository: async (cwd, path) => (await import('./lib/config/load.ts')).openRepository(cwd, path),
    openTarget: async (repository, cluster, choice) =>
      (await import('./lib/config/target.ts')).openTarget(repository, cluster, choice),
    kube: async ({ target }) => (await import('./lib/kube/client.ts')).createKubePort(target),
    talos: async ({ target }, exec) => (await import('./lib/tools/talos-port.ts')).createTalosPort(target, exec),
    gates: async (opened, ports) => (await import('./gates.ts')).createGates(opened, ports),
    postRaw: async (...request) => (await import('./lib/kube/client.ts')).postRaw(...request),
    lease: async ({ target }) => (await import('./lib/kube/lease.ts')).createLeasePort(target),
    silences: async ({ target: { alertmanager } }) =>
      alertmanager ? (await import('./lib/tools/alertmanager.ts')).createSilencePort(alertmanager) : undefined,
    exec: (opened, options) => openExec(opened, options, binDir),
    processes: async () => (await import('./lib/exec/process-info.ts')).processes,
    redactor: async () => {
      redactor ??= (await import('./lib/exec/redact.ts')).createRedactor()
      return redactor
    },
    basis: openBasis,
    contextServer: async (kubeconfig, context) => {
      const { accessReader } = await import('./lib/kube/kubeconfig.ts')
      const access = await accessReader({ kubeconfig, context })()
      return access.ok ? access.value.server : undefined
    },
  }
}

async function openExec({ target }: OpenedCluster, options: ExecOptions, binDir: string): Promise<Exec> {
  const [{ createExec }, { childEnvironment, childPath }] = await Promise.all([
    import('./lib/exec/exec.ts'),
    import('./lib/exec/environment.ts'),
  ])
  const { env, redactor, runId } = options
  const extra = { ...target.env, KUBECONFIG: target.kubeconfig, TALOSCONFIG: join(target.root, target.talosconfig) }
  const children = childEnvironment(env, extra)
  // The tools' own directories join as they are found; exec reads the environment at each call.
  const directories = new Set<string>()
  const setPath = () => {
    children.env.PATH = childPath(target.env.PATH, [...directories, binDir, dirname(process.execPath)], env.PATH)
  }
  setPath()
  for (const secret of [env.OP_SERVICE_ACCOUNT_TOKEN, env.GITHUB_TOKEN, env.GH_TOKEN]) if (secret) redactor.add(secret)

  const find = async (tool: ToolName): Promise<string> => {
    const path = unpinned.has(tool) ? await onPath(tool, children.env) : await pinned(tool, options)
    directories.add(dirname(path))
    return path
  }
  const found = new Map<ToolName, Promise<string>>()
  const findOnce = (tool: ToolName): Promise<string> => {
    const finding = found.get(tool) ?? find(tool)
    found.set(tool, finding)
    finding.catch(() => found.delete(tool))
    return finding
  }
  return createExec({
    cwd: target.root,
    env: children.env,
    toolEnv: children.toolEnv,
    redactor,
    ...(runId === undefined ? {} : { runId }),
    resolve: async (tool) => {
      if (tool === 'k8sops') return [process.execPath, join(binDir, 'k8sops.js')]
      const [path] = await Promise.all([tool, ...(companions[tool] ?? [])].map(findOnce))
      setPath()
      return path!
    },
  })
}

async function onPath(tool: ToolName, env: Record<string, string>): Promise<string> {
  const { firstOnPath } = await import('./lib/tools/resolve.ts')
  const path = firstOnPath(tool, env)
  if (path) return path
  throw new ConfigError(`${tool} is not on PATH`, [], { next: 'k8sops doctor' })
}

/** A pinned tool, built now if this machine does not have it yet. */
async function pinned(tool: ToolName, { env, note, signal }: ExecOptions): Promise<string> {
  const { resolveTool } = await import('./lib/tools/resolve.ts')
  const resolved = resolveTool(tool, { env })
  if (resolved) return resolved.path
  const { ensureTools } = await import('./lib/tools/build.ts')
  let told = ''
  const made = await ensureTools([tool], {
    env,
    signal,
    onProgress: ({ state, version, etaSec }) => {
      if (state !== told && (state === 'building' || state === 'installing' || state === 'waiting'))
        note(`${tool} ${version}: ${state}, about ${Math.ceil(etaSec)} s`)
      told = state
    },
  })
  return made.get(tool)!.path
}

/** The digest is that of src/lib/config/basis.ts, over the paths and tools that the plan names. */
function openBasis({ target }: OpenedCluster): BasisPort {
  const read = async (plan: Plan) => {
    const [{ digest }, { clusterPaths }, { catalog, pinnedVersion }] = await Promise.all([
      import('./lib/config/basis.ts'),
      import('./lib/config/source.ts'),
      import('./lib/tools/catalog.ts'),
    ])
    const { paths = clusterPaths(plan.cluster), tools: before = {} } = plan.basis
    const now = Object.keys(before).map((name) => {
      const tool = catalog.find((candidate) => candidate.name === name)
      return [name, tool ? pinnedVersion(tool) : 'not pinned any more'] as const
    })
    return { paths, before, tools: Object.fromEntries(now), digest }
  }
  return {
    digest: async (plan) => {
      const { paths, tools, digest } = await read(plan)
      return digest({ root: target.root, paths, tools })
    },
    describe: async (plan) => {
      const { paths, before, tools } = await read(plan)
      const moved = Object.keys(before).filter((name) => before[name] !== tools[name])
      return [
        ...moved.map((name) => `${name}: pinned ${tools[name]}, was ${before[name]}`),
        `files: git diff --stat ${plan.basis.commit.slice(0, 12)} -- ${paths.join(' ')}`,
      ]
    },
  }
}
