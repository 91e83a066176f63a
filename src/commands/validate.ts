import { type Data, defineCommand, textOption } from '../lib/cli/define.ts'
import { loadRepository, repositoryRoot } from '../lib/config/load.ts'
import { ConfigError, exitCodes } from '../lib/errors.ts'
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
    { flags: '--sarif <file>', description: 'also write the findings as SARIF 2.1.0' },
  ],
  examples: [
    'k8sops validate',
    'k8sops validate --cluster infra kubernetes/infrastructure/configs',
    'k8sops validate --rules -o wide',
    'k8sops validate --sarif k8sops.sarif -o json',
  ],
  async read({ rest, options, env, cwd, note, signal }) {
    if (options.rules) return ruleList()
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    const only = textOption(options.cluster)
    const clusters = only && only !== 'all' ? [namedCluster(repository, only)] : repository.clusters
    const [{ validateRepository }, { renderersOf }, { belowPaths }] = await Promise.all([
      import('../lib/repo/validation.ts'),
      import('../lib/repo/renderers.ts'),
      import('../lib/repo/source-files.ts'),
    ])
    const isWanted = belowPaths(repository.root, cwd, rest.paths ?? [])
    const validation = await validateRepository(repository, renderersOf(repository.root, env, signal), {
      clusters,
      isWanted,
    })
    const sarif = textOption(options.sarif)
    if (sarif) await writeSarif(sarif, validation)
    if (env.GITHUB_ACTIONS === 'true') await annotate(validation, note)
    return reportOf(validation)
  },
})

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
