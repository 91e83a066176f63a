import { defineCommand, textOption } from '../lib/cli/define.ts'
import { checkRepository, loadRepository, type Repository, repositoryRoot } from '../lib/config/load.ts'
import { ConfigError, exitCodes } from '../lib/errors.ts'
import type { Kustomize } from '../lib/repo/build.ts'
import { chartFindings } from '../lib/repo/chart-facts.ts'
import { dependencyFindings } from '../lib/repo/dependencies.ts'
import { type Finding, locate } from '../lib/repo/locate.ts'
import { releasesOf } from '../lib/repo/releases.ts'
import { type RenderOptions, renderCluster } from '../lib/repo/render.ts'
import { kustomizeBuild } from '../lib/tools/kustomize.ts'
import type { Problem } from '../lib/types.ts'
import { namedCluster } from './repo/selection.ts'

export const validate = defineCommand({
  path: 'validate',
  summary:
    'Check configuration and manifests: everything that is wrong, with file and line, and what is to be confirmed',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops validate', 'k8sops validate --cluster infra', 'k8sops validate -o json'],
  async read({ options, env, cwd, note }) {
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    const only = textOption(options.cluster)
    const clusters = only && only !== 'all' ? [namedCluster(repository, only)] : repository.clusters
    const problems = [...repository.problems, ...(await checkRepository(repository))]
    const kustomize = availableKustomize(env, problems)
    let rendered = 0
    for (const { name } of kustomize ? clusters : []) {
      const result = await checkManifests(repository, name, { kustomize: kustomize as Kustomize })
      problems.push(...result.problems)
      rendered += result.kustomizations
    }
    if (!kustomize) note('kustomize is not installed: manifests were not checked (npm run setup)')
    const confirm = clusters.flatMap((cluster) => cluster.confirm)
    const unique = [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()].sort(
      (a, b) => a.file.localeCompare(b.file) || a.line - b.line,
    )
    if (env.GITHUB_ACTIONS === 'true' && unique.length > 0) await annotate(unique, note)
    return {
      kind: 'ValidationReport',
      exitCode: unique.length > 0 ? exitCodes.usage : exitCodes.ok,
      text: report(
        unique,
        confirm,
        clusters.map(({ name }) => name),
        rendered,
      ),
      items: [
        ...unique.map((problem) => ({ severity: 'problem', ...problem })),
        ...confirm.map((mark) => ({ severity: 'confirm', ...mark })),
      ],
      fields: { problems: unique.length, confirm: confirm.length, kustomizations: rendered },
    }
  },
})

/** Without kustomize the configuration's problems are still worth showing; if there are none, nothing was checked. */
function availableKustomize(env: NodeJS.ProcessEnv, problems: Problem[]): Kustomize | undefined {
  try {
    return kustomizeBuild(env)
  } catch (error) {
    if (problems.length === 0) throw error
    return undefined
  }
}

async function checkManifests(repository: Repository, cluster: string, options: RenderOptions) {
  const rendered = await renderCluster(repository.root, cluster, options)
  const { found, findings } = releasesOf(rendered)
  const all: Finding[] = [
    ...rendered.flatMap((one) => one.findings),
    ...findings,
    ...dependencyFindings(rendered, found),
    ...(await chartFindings(repository.root, found)),
  ]
  return { problems: await locate(repository.root, all), kustomizations: rendered.length }
}

/** In a pull request each problem stands beside its line. */
async function annotate(problems: Problem[], note: (text: string) => void): Promise<void> {
  const { annotateError } = await import('../lib/ui/github-view.ts')
  for (const line of annotateError(new ConfigError('validate', problems))) note(line)
}

function report(problems: Problem[], confirm: Problem[], clusters: string[], rendered: number): string {
  const line = ({ file, line, message }: Problem) => `  ${file}:${line}: ${message}`
  const sections = [
    ...(problems.length > 0 ? [`${problems.length} to be corrected:`, ...problems.map(line), ''] : []),
    ...(confirm.length > 0
      ? [`${confirm.length} to be confirmed before a real cluster is written to:`, ...confirm.map(line), '']
      : []),
    `clusters ${clusters.join(', ')}: ${rendered} Kustomizations rendered, ${problems.length} problems, ${confirm.length} to be confirmed`,
  ]
  return `${sections.join('\n')}\n`
}
