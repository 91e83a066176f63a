import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandContext, defineCommand, textOption } from '../lib/cli/define.ts'
import { parseDurationSec } from '../lib/cli/duration.ts'
import { sourceChoice, sourceOptions } from '../lib/cli/source-options.ts'
import { requireSound } from '../lib/config/load.ts'
import { ConfigError } from '../lib/errors.ts'
import { observeBasis } from '../lib/ops/basis.ts'
import { planBootstrap } from '../lib/ops/bootstrap.ts'
import { type BootstrapFiles, readBootstrapFiles } from '../lib/ops/bootstrap-files.ts'
import type { BootstrapInput } from '../lib/ops/bootstrap-input.ts'
import { fileVerdicts, observeMachines, observePreflight, preflightFacts } from '../lib/ops/bootstrap-observe.ts'
import { errorOf } from '../lib/ops/local-step.ts'
import { observeUsedDisks, type UsedMachine, usedFacts, usedRefusal } from '../lib/ops/used-machines.ts'
import { layout } from '../lib/repo/layout.ts'
import type { Release } from '../lib/repo/releases.ts'
import { renderingCache } from '../lib/repo/rendering-cache.ts'
import { pinnedVersions } from '../lib/tools/catalog.ts'
import { kustomizeBuild, kustomizePath } from '../lib/tools/kustomize.ts'
import type { Basis, Verdict } from '../lib/types.ts'

/** What is wrong with the files is returned: it is said together with what else is wrong. */
async function readFiles(root: string, cluster: string, env: NodeJS.ProcessEnv): Promise<BootstrapFiles | ConfigError> {
  try {
    const tools = [kustomizePath(env)]
    const made = [layout.kubernetes, layout.bootstrap, layout.chartRecords]
    const cache = renderingCache<BootstrapFiles>(root, `bootstrap-${cluster}`, tools, made)
    const known = cache.read()
    if (known) return known
    const releases = renderingCache<Release[]>(root, `releases-${cluster}`, tools)
    const files = await readBootstrapFiles(root, cluster, kustomizeBuild(env), releases.write)
    cache.write(files)
    return files
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

export interface SeenBootstrap {
  /** What a bootstrap is planned from, but for its parameters. */
  input: Omit<BootstrapInput, 'params'>
  basis: Basis
  /** Of the preflight, in the order of its checks. */
  verdicts: Verdict[]
  /** Machines that wait for their first config, and hold data of an earlier cluster. */
  used: UsedMachine[]
  /** Nobody was asked: a preview of a cluster that was never made. */
  blind: boolean
}

/**
 * Everything that a bootstrap looks at before it begins.
 * @throws ConfigError, GateError for what can't be bootstrapped yet; a preview is shown nevertheless
 */
export async function observeBootstrap(context: CommandContext, preview: boolean): Promise<SeenBootstrap> {
  const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
  const [{ basis, requireSource }, files, repository, verdicts] = await Promise.all([
    observeBasis(exec, cluster, target, {
      ...sourceChoice(context),
      tools: pinnedVersions('bootstrap'),
    }),
    readFiles(target.root, cluster.name, context.env),
    context.repository(),
    context.gates().then((gates) => observePreflight(gates, context.signal)),
  ])
  // What is wrong with this machine and with the files is said at once, and before files that are not committed.
  const all = files instanceof ConfigError ? [...verdicts, ...fileVerdicts(files)] : verdicts
  const refusal = errorOf(`cluster ${cluster.name} can't be bootstrapped yet`, all, 'docs/runbooks/talos.md')
  if (refusal && !preview) throw refusal
  requireSound(repository)
  if (files instanceof ConfigError) throw files
  if (!preview) requireSource()
  // Before there are configs a preview dials no machine: addresses of a cluster that was never made may be anybody's.
  const blind = preview && !existsSync(join(target.root, target.talosconfig))
  const talos = await context.talos()
  const machines = blind ? 'unknown' : await observeMachines(talos, cluster, context.signal)
  const used = machines === 'unknown' ? [] : await observeUsedDisks(talos, cluster, machines, context.signal)
  const observed = {
    ...basis.observed,
    preflight: preflightFacts(verdicts),
    machines,
    ...(used.length === 0 ? {} : { usedDisks: usedFacts(used) }),
  }
  const { ageKey } = repository
  return { input: { cluster, target, ageKey, files }, basis: { ...basis, observed }, verdicts, used, blind }
}

export const bootstrap = defineCommand({
  path: 'bootstrap',
  summary: 'Make a cluster out of machines in maintenance mode, up to everything that Flux manages being Ready',
  effect: 'write',
  options: [
    { flags: '--until <step>', description: 'last step to run; --dry-run lists them' },
    { flags: '--skip-flux', description: 'stop before Flux is installed', default: false },
    {
      flags: '--node-timeout <duration>',
      description: 'how long machines may take, each time they are waited for',
      default: '10m',
    },
    ...sourceOptions,
  ],
  examples: [
    'k8sops bootstrap --cluster apps --lab',
    'k8sops bootstrap --cluster infra --dry-run',
    'k8sops bootstrap --cluster infra --until api/ready',
    'k8sops bootstrap --cluster infra --report bootstrap-infra',
  ],
  runbook: 'docs/runbooks/talos.md',
  saysProblems: true,
  async plan(context) {
    const { options } = context
    const preview = options.dryRun === true || options.planOut !== undefined
    const { input, basis, used } = await observeBootstrap(context, preview)
    if (used.length > 0 && !preview) throw usedRefusal(input.cluster.name, used)
    const until = textOption(options.until)
    const params = {
      skipFlux: options.skipFlux === true,
      nodeTimeoutSec: parseDurationSec(textOption(options.nodeTimeout) ?? '10m'),
      ...(until === undefined ? {} : { until }),
    }
    return planBootstrap({ ...input, params }, basis)
  },
})
