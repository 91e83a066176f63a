import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandContext } from '../lib/cli/define.ts'
import { defineCommand } from '../lib/cli/define.ts'
import { parseDurationSec } from '../lib/cli/duration.ts'
import { observeBasis } from '../lib/ops/basis.ts'
import { planBootstrap } from '../lib/ops/bootstrap.ts'
import { readBootstrapFiles } from '../lib/ops/bootstrap-files.ts'
import { observeMachines, observePreflight, preflightFacts } from '../lib/ops/bootstrap-observe.ts'
import { errorOf } from '../lib/ops/local-step.ts'
import { pinnedVersions } from '../lib/tools/catalog.ts'
import { kustomizeBuild } from '../lib/tools/kustomize.ts'

const text = (value: CommandContext['options'][string]) => (typeof value === 'string' ? value : undefined)

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
    {
      flags: '--ref <ref>',
      description: 'commit that the files must be those of (default: the branch that the cluster follows)',
    },
    {
      flags: '--worktree',
      description: 'take the files of the working tree as they are; needs --reason',
      default: false,
    },
    { flags: '--reason <text>', description: 'why --worktree' },
  ],
  examples: [
    'k8sops bootstrap --cluster apps --lab',
    'k8sops bootstrap --cluster infra --dry-run',
    'k8sops bootstrap --cluster infra --until api/ready',
    'k8sops bootstrap --cluster infra --report bootstrap-infra',
  ],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { options, env } = context
    const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
    const preview = options.dryRun === true || options.planOut !== undefined
    const [{ basis, requireSource }, files, repository] = await Promise.all([
      observeBasis(exec, cluster, target, {
        ref: text(options.ref),
        worktree: options.worktree === true,
        reason: text(options.reason),
        tools: pinnedVersions('bootstrap'),
      }),
      readBootstrapFiles(target.root, cluster.name, kustomizeBuild(env)),
      context.repository(),
    ])
    const until = text(options.until)
    const params = {
      skipFlux: options.skipFlux === true,
      nodeTimeoutSec: parseDurationSec(text(options.nodeTimeout) ?? '10m'),
      ...(until === undefined ? {} : { until }),
    }
    const verdicts = await observePreflight(await context.gates(), context.signal)
    const refusal = errorOf(`cluster ${cluster.name} can't be bootstrapped yet`, verdicts, 'docs/runbooks/talos.md')
    if (!preview) {
      // What is wrong with this machine or the files comes before files that are not committed.
      if (refusal) throw refusal
      requireSource()
    }
    // Before there are configs a preview dials no machine: addresses of a cluster that was never made may be anybody's.
    const blind = preview && !existsSync(join(target.root, target.talosconfig))
    const machines = blind ? 'unknown' : await observeMachines(await context.talos(), cluster, context.signal)
    const observed = { ...basis.observed, preflight: preflightFacts(verdicts), machines }
    const { ageKey } = repository
    return planBootstrap({ cluster, target, ageKey, files, params }, { ...basis, observed })
  },
})
