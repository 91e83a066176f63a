import { type CommandContext, type Data, defineCommand, textOption } from '../lib/cli/define.ts'
import { loadRepository, repositoryRoot } from '../lib/config/load.ts'
import { ConfigError, exitCodes, UnreachableError, UsageError } from '../lib/errors.ts'
import type { DryRun } from '../lib/repo/server-check.ts'
import type { Validation } from '../lib/repo/validation.ts'
import type { Json } from '../lib/types.ts'
import { namedCluster } from './repo/selection.ts'

export const validate = defineCommand({
  path: 'validate',
  summary: 'Check configuration and manifests: everything that is wrong, with file and line, why, and how to mend it',
  description:
    'Check configuration and manifests of every cluster: everything that is wrong, with file and line, why, and how to mend it. ' +
    'A rule is waived where it is broken, with a reason: `# waive(rule-id): reason`. Exit 3 when something is found, 2 when the ' +
    'configuration itself cannot be read.',
  effect: 'read',
  scope: 'cluster',
  args: { 'paths...?': 'only findings in these files and directories' },
  options: [
    { flags: '--rules', description: 'list the rules: what each demands, why, and how to mend it', default: false },
    {
      flags: '--changed [base]',
      description: 'only what a change can affect, since BASE (default: where the branch left main)',
    },
    {
      flags: '--server',
      description: 'also ask the API server of each cluster (dry-run: nothing is changed)',
      default: false,
    },
    { flags: '--sarif <file>', description: 'also write the findings as SARIF 2.1.0' },
  ],
  examples: [
    'k8sops validate',
    'k8sops validate --cluster infra kubernetes/infrastructure/configs',
    'k8sops validate --changed=origin/main',
    'k8sops validate --cluster apps --server --lab',
    'k8sops validate --rules -o wide',
    'k8sops validate --sarif k8sops.sarif -o json',
  ],
  async read(context) {
    const { rest, options, env, cwd, note, signal } = context
    if (options.rules) return ruleList()
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    const only = textOption(options.cluster)
    if (options.server && (!only || only === 'all'))
      throw new UsageError('--server asks one API server: name its cluster', {
        next: 'k8sops validate --server --cluster NAME',
      })
    const clusters = only && only !== 'all' ? [namedCluster(repository, only)] : repository.clusters
    const [{ validateRepository }, { renderersOf }, { belowPaths }, { branchPoint, commitOf }] = await Promise.all([
      import('../lib/repo/validation.ts'),
      import('../lib/repo/renderers.ts'),
      import('../lib/repo/source-files.ts'),
      import('../lib/repo/revision.ts'),
    ])
    const { changed } = options
    const since = changed
      ? await (typeof changed === 'string' ? commitOf(repository.root, changed) : branchPoint(repository.root))
      : undefined
    const isWanted = belowPaths(repository.root, cwd, rest.paths ?? [])
    const validation = await validateRepository(repository, renderersOf(repository.root, env, signal), {
      clusters,
      isWanted,
      since,
      server: options.server ? () => dryRunOf(context) : undefined,
    })
    const sarif = textOption(options.sarif)
    if (sarif) await writeSarif(sarif, validation)
    if (env.GITHUB_ACTIONS === 'true') await annotate(validation, note)
    return reportOf(validation)
  },
})

/** Of the resolved target: `--server` is for one cluster, the real one or the lab's. */
async function dryRunOf(context: CommandContext): Promise<DryRun> {
  const [target, exec, { dryRunStdinArgs }] = await Promise.all([
    context.target(),
    context.exec(),
    import('../lib/tools/kubectl.args.ts'),
  ])
  return async (input) => {
    const { exitCode, stderr } = await exec({ pipeline: [dryRunStdinArgs(target.context)], input, timeoutSec: 60 })
    if (exitCode === 0) return { ok: true }
    // Several lines: the last may only say "ensure CRDs are installed first".
    const message = stderr.trim().replaceAll('\n', '; ')
    if (/connection refused|Unable to connect|i\/o timeout|Unauthorized/.test(message))
      throw new UnreachableError(message)
    return { ok: false, message: message.replace(/^error: /, '') }
  }
}

async function ruleList(): Promise<Data> {
  const { families } = await import('../lib/repo/rules/catalog.ts')
  const column = (title: string, key: string, wide = false) => ({
    title,
    value: (row: { [key: string]: Json }) => String(row[key] ?? ''),
    wide,
  })
  return {
    kind: 'RuleList',
    items: Object.entries(families).flatMap(([family, list]) =>
      list.map(({ id, demands, why, fix, source }) => ({ id, family, demands, why, fix, source })),
    ),
    columns: [
      column('RULE', 'id'),
      column('SOURCE', 'source'),
      column('DEMANDS', 'demands'),
      column('WHY', 'why', true),
      column('FIX', 'fix', true),
    ],
  }
}

async function reportOf(validation: Validation): Promise<Data> {
  const { renderValidation } = await import('../lib/ui/validation-text.ts')
  const { unreadable, findings, waived, confirm, coverage, rules, pins, withoutSchema } = validation
  return {
    kind: 'ValidationReport',
    exitCode: unreadable.length > 0 ? exitCodes.usage : findings.length > 0 ? exitCodes.gate : exitCodes.ok,
    text: renderValidation(validation),
    items: [
      ...unreadable.map((problem) => ({ severity: 'unreadable', ...problem })),
      ...findings.map((finding) => ({ severity: 'finding', ...finding })),
      ...waived.map(({ file, line, rule, reason, findings: count }) => ({
        severity: 'waived',
        file,
        line,
        rule,
        reason,
        findings: count,
      })),
      ...confirm.map((mark) => ({ severity: 'confirm', ...mark })),
    ],
    fields: {
      findings: findings.length,
      unreadable: unreadable.length,
      waived: waived.length,
      confirm: confirm.length,
      rules,
      pins,
      withoutSchema,
      server: validation.server as unknown as Json,
      coverage: coverage as unknown as Json,
    },
  }
}

async function writeSarif(file: string, { findings, unreadable }: Validation): Promise<void> {
  const [{ toSarif }, { rules }, { writeFile }] = await Promise.all([
    import('../lib/ui/sarif.ts'),
    import('../lib/repo/rules/catalog.ts'),
    import('node:fs/promises'),
  ])
  await writeFile(file, `${JSON.stringify(toSarif({ rules, findings, unreadable }), null, 2)}\n`)
}

/** In a pull request each finding stands beside its line. */
async function annotate(validation: Validation, note: (text: string) => void): Promise<void> {
  const { asProblems } = await import('../lib/repo/validation.ts')
  const problems = asProblems(validation)
  if (problems.length === 0) return
  const { annotateError } = await import('../lib/ui/github-view.ts')
  for (const line of annotateError(new ConfigError('validate', problems))) note(line)
}
