import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { type CommandContext, defineCommand, type OptionSpec, textOption } from '../lib/cli/define.ts'
import { ConfigError, ToolError, UsageError } from '../lib/errors.ts'
import type { RepositoryAnswers } from '../lib/repo/cluster-answers.ts'
import { partsFile, programVersion, readParts } from '../lib/repo/template.ts'
import { answerOptions, givenAnswers } from './cluster/answers.ts'

/** What a new repository is made of: this repository, or what the package has of it. */
const here = join(import.meta.dirname, '../..')

const options: OptionSpec[] = [
  { flags: '--name <cluster>', description: 'of the cluster; hostnames begin with it' },
  { flags: '--git <url>', description: 'where the repository is to live; Flux pulls it from there' },
  { flags: '--recipient <age>', description: 'public half of the age key for what is encrypted (age-keygen)' },
  ...answerOptions,
]

export const init = defineCommand({
  path: 'init',
  summary: 'Make a new repository with one cluster',
  description:
    'In a directory that is empty or not there: what clusters share, one cluster of your answers, first secrets as references into 1Password, workflows, tasks, Renovate, runbooks. Of the program it holds a line in package.json. Answers are those of `cluster new`, from the command line, from a file, or asked for on a terminal. What nobody has looked up yet is marked `# CONFIRM:`, and no run touches a real cluster while such a mark is left. The first commit is offered, and made with --commit.',
  effect: 'local',
  scope: 'none',
  args: { 'dir?': 'where (default: here)' },
  options: [
    ...options,
    {
      flags: '--package <spec>',
      description: `what npm installs as k8sops: a version, or a tarball's path or address (default: ${programVersion})`,
    },
    { flags: '--commit', description: 'git init, and the first commit', default: false },
  ],
  examples: [
    'k8sops init clusters --answers home.yaml --commit',
    'k8sops init --name home --cidr 192.168.10.0/24 --pods 10.42.0.0/16 --services 10.43.0.0/16 --lb-pool 192.168.11.0/24 --vlan 10 --domain home.example.org --asn 64513 --git ssh://git@github.com/acme/clusters.git --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
  ],
  runbook: 'docs/onboarding.md',
  async run(context) {
    const root = resolve(context.cwd, context.args.dir ?? '.')
    const there = existsSync(root) ? readdirSync(root).filter((name) => name !== '.git') : []
    if (there.length > 0)
      throw new UsageError(`${root} is not empty: ${there.slice(0, 5).join(', ')}`, {
        next: 'name a directory that is not there yet; for another cluster of a repository: k8sops cluster new',
      })
    const { name, files } = await proposedRepository(context)
    const { changeFiles } = await import('../lib/repo/new-files.ts')
    await changeFiles(root, { fresh: files })
    const committed = await firstCommit(context, root, name)
    const steps = [
      ...(relative(context.cwd, root) === '' ? [] : [`cd ${relative(context.cwd, root)}`]),
      ...(committed ? [] : ['git init && git add -A && git commit -m "Begin"']),
      `k8sops validate && k8sops lab up --cluster ${name} && k8sops bootstrap --cluster ${name} --lab`,
    ]
    context.note(`look at README.md and every # CONFIRM:, then rehearse it:\n  ${steps.join('\n  ')}`)
    return {
      kind: 'RepositoryFiles',
      items: [...files.keys()].map((file) => ({ file })),
      columns: [{ title: 'written', value: ({ file }) => String(file) }],
      text: `${files.size} files in ${root}\n`,
      fields: { root, cluster: name, committed },
    }
  },
})

/** @throws UsageError or ConfigError with everything that is wrong with the answers */
async function proposedRepository(context: CommandContext): Promise<{ name: string; files: Map<string, string> }> {
  const [
    { repositoryAnswersSchema: schema, requiredAnswers },
    { answered, refuseWrong, sourcesOf },
    { newRepositoryFiles },
  ] = await Promise.all([
    import('../lib/repo/cluster-answers.ts'),
    import('./cluster/proposal.ts'),
    import('../lib/repo/new-repository.ts'),
  ])
  const parts = readParts(readFileSync(join(here, partsFile), 'utf8'))
  const { loadRepository } = await import('../lib/config/load.ts')
  const { clusters } = await loadRepository(here)
  const from = clusters.find((cluster) => cluster.name === parts.cluster)
  if (!from) throw new ConfigError(`k8sops is incomplete: ${here} has no cluster ${parts.cluster}; install it again`)
  const given = await givenAnswers(context, Object.keys(schema.shape), 'init')
  const required = ['name', ...requiredAnswers, 'git', 'recipient']
  const { answers, issues } = await answered<RepositoryAnswers>(context, given, {
    schema,
    required,
    options,
    example: from,
  })

  const [{ chooseCluster }, { problemsWith }, { enabledOverlays }, sources] = await Promise.all([
    import('../lib/repo/new-cluster-choice.ts'),
    import('../lib/repo/checked-copy.ts'),
    import('../lib/repo/applications.ts'),
    sourcesOf(here, from.name, [...parts.paths, 'template']),
  ])
  const { name = 'new' } = answers
  const chosen = chooseCluster(
    name,
    { ...answers, apps: parts.apps },
    {
      clusters: [],
      from,
      sources,
      overlays: enabledOverlays(here, [from.name], from.name),
      settingsOnlyOf: () => new Set(),
    },
  )
  issues.push(...chosen.issues)
  if (issues.some(({ path }) => path[0] === 'nodes')) given.refuse(issues)
  const files = newRepositoryFiles(
    {
      cluster: chosen.choice,
      parts,
      others: clusters.flatMap(({ name: other }) => (other === from.name ? [] : [other])),
      git: answers.git ?? '',
      recipient: answers.recipient ?? '',
      program: textOption(context.options.package) ?? programVersion,
    },
    sources,
  )
  await refuseWrong(given, name, { answers, issues }, files, await problemsWith(undefined, files))
  return { name, files }
}

/** Offered on a terminal, made with --commit. @returns whether there is one */
async function firstCommit(context: CommandContext, root: string, name: string): Promise<boolean> {
  const offered = context.options.commit === true || (await wantsCommit(context, root))
  if (!offered) return false
  const { quietGit } = await import('../lib/repo/revision.ts')
  const git = quietGit(root, context.signal)
  const commit = ['commit', '--quiet', '-m', `Begin with cluster ${name}, as k8sops ${programVersion} wrote it`]
  for (const args of [['init', '--quiet', '--initial-branch', 'main'], ['add', '--all'], commit]) {
    const { exitCode, stderr } = await git(args)
    if (exitCode !== 0)
      throw new ToolError('the files are written, but git does not take them', {
        command: `git ${args.join(' ')}`,
        output: stderr,
        next: `mend it, then in ${root}: git init && git add -A && git commit`,
      })
  }
  return true
}

async function wantsCommit(context: CommandContext, root: string): Promise<boolean> {
  const typed = await context.ask?.(`git init in ${root}, and commit? [Y/n]`)
  return typed !== undefined && /^(y(es)?)?$/i.test(typed)
}
