import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { clusterNamed, type Repository } from '../../lib/config/load.ts'
import { ConfigError, exitCodes, GateError, OperatorError, UsageError } from '../../lib/errors.ts'
import { checksNamed } from '../../lib/gates/own-params.ts'
import { reportExitCode, reportRows } from '../../lib/gates/report.ts'
import type { Reference } from '../../lib/repo/cluster-removal.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { Cluster } from '../../lib/types.ts'

/** What must be true of a cluster that is there before anybody takes it away. */
const guards = ['backups-recent', 'backups-idle', 'holds-current']

export const clusterRemove = defineCommand({
  path: 'cluster remove',
  summary: 'Take a cluster out of the repository, once its data is safe and nobody needs it',
  description:
    'Shows what else refers to it and what is left outside: monitoring, machines, DNS, router, 1Password. Refuses while another cluster needs it (a host of its domain, the first place in the rollout), while a backup is old or runs, and while somebody holds something there that is overdue. Then removes its directories and its entry in k8sops.yaml: all, or none. The machines are not touched.',
  effect: 'local',
  scope: 'repository',
  args: { name: 'the cluster' },
  completeArgs: { name: async ({ repository }) => (await repository())?.clusters.map(({ name }) => name) ?? [] },
  options: [
    {
      flags: '--gone',
      description: 'it is no more, or never was: its backups and holds are not asked',
      default: false,
    },
    { flags: '--dry-run', description: 'show all of it, and change nothing', default: false },
    { flags: '--confirm <name>', description: 'the name of the cluster, instead of typing it' },
  ],
  examples: ['k8sops cluster remove staging --dry-run', 'k8sops cluster remove staging --gone --confirm staging'],
  runbook: 'docs/onboarding.md',
  async run(context) {
    const repository = await context.repository()
    const cluster = clusterNamed(repository, context.args.name ?? '')
    const { name } = cluster
    const { dependentsOf, leftOutside, ownPaths, referencesTo } = await import('../../lib/repo/cluster-removal.ts')
    const dependents = dependentsOf(repository, name)
    if (dependents.length > 0)
      throw new GateError(`cluster ${name} is needed`, {
        output: dependents.join('\n'),
        next: 'give each of these another place first',
      })
    if (context.options.gone !== true) await requireGuards(context, name)
    await refuseLostSecrets(repository, name)

    const removed = ownPaths(name).filter((path) => existsSync(join(repository.root, path)))
    const edited = await editedList(repository, name, removed)
    const { readSourceFiles } = await import('../../lib/repo/source-files.ts')
    const looked = [layout.kubernetes, layout.talosRoot, layout.bootstrap, 'terraform', layout.github, 'docs']
    const references = referencesTo(cluster, readSourceFiles(repository.root, looked))
    const others = repository.clusters.filter((one) => one !== cluster)
    const outside = leftOutside(cluster, others)
    const items = removed.flatMap((path) => filesBelow(repository.root, path)).map((file) => ({ file }))
    context.note(planText(cluster, removed, references, outside))
    const dryRun = context.options.dryRun === true
    if (!dryRun) {
      await confirmed(context, name)
      const { changeFiles } = await import('../../lib/repo/new-files.ts')
      await changeFiles(repository.root, { edited: new Map([[layout.repositoryFile, edited]]), removed })
      context.note('look at it, and commit: git diff HEAD; k8sops validate')
    }
    return {
      kind: 'ClusterRemoval',
      items,
      columns: [{ title: dryRun ? 'would go' : 'removed', value: ({ file }) => String(file) }],
      fields: { cluster: name, dryRun, references: references.map((one) => ({ ...one })), outside },
    }
  },
})

/** @throws GateError (3) or OperatorError (4) with each gate that does not hold */
async function requireGuards(context: CommandContext, name: string): Promise<void> {
  const { cluster, gates } = await context.another(name)
  const checks = checksNamed(guards, { cluster, nodes: [], given: {} })
  const verdicts = await (await gates()).evaluateAll(checks, context.signal)
  const exitCode = reportExitCode(checks, verdicts)
  if (exitCode === exitCodes.ok) return
  const open = reportRows(checks, verdicts).filter(({ verdict }) => verdict !== 'pass')
  throw new OperatorError(`cluster ${name} can't be let go yet`, exitCode, {
    output: open.map((row) => `${row.name} ${row.verdict}: ${row.reason}`).join('\n'),
    next:
      exitCode === exitCodes.unreachable
        ? '--gone, if it is no more or never was'
        : [...new Set(open.map((row) => row.next).filter(Boolean))].join('\n'),
  })
}

/** Without its secrets nothing of its etcd can be read again; git keeps them, if it has them. */
async function refuseLostSecrets({ root }: Repository, name: string): Promise<void> {
  const file = layout.talsecret(name)
  if (!existsSync(join(root, file))) return
  const { quietGit } = await import('../../lib/repo/revision.ts')
  const { stdout, exitCode } = await quietGit(root)(['status', '--porcelain', '--ignored', '--', file])
  if (exitCode === 0 && stdout === '') return
  throw new UsageError(`${file} is not committed as it is: without it no snapshot of ${name}'s etcd can be restored`, {
    next: `git add ${file} && git commit`,
  })
}

/** k8sops.yaml without it. @throws ConfigError when a rule would not hold of the rest */
async function editedList({ root }: Repository, name: string, removed: string[]): Promise<string> {
  const [{ withoutEntry }, { problemsWith }] = await Promise.all([
    import('../../lib/repo/new-cluster.ts'),
    import('../../lib/repo/checked-copy.ts'),
  ])
  const text = withoutEntry(readFileSync(join(root, layout.repositoryFile), 'utf8'), name)
  const problems = await problemsWith(root, new Map([[layout.repositoryFile, text]]), removed)
  if (problems.length > 0) throw new ConfigError(`without ${name} rules would not hold; nothing was changed`, problems)
  return text
}

const filesBelow = (root: string, path: string): string[] =>
  readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))

/** Examples mostly: which file is enough. */
const isDocs = ({ file }: { file: string }) => file.startsWith('docs/')

function planText({ name }: Cluster, removed: string[], references: Reference[], outside: string[]): string {
  return [
    `removes ${[...removed, `the entry in ${layout.repositoryFile}`].join(', ')}`,
    references.length === 0 ? `nothing else names ${name}` : `names ${name}, and stays as it is:`,
    ...references.filter((one) => !isDocs(one)).map(({ file, line, text }) => `  ${file}:${line}: ${text}`),
    ...[...Map.groupBy(references.filter(isDocs), ({ file }) => file)].map(
      ([file, lines]) => `  ${file}: ${lines.length === 1 ? 'a line' : `${lines.length} lines`}`,
    ),
    'left outside, in this order:',
    ...outside.map((one, index) => `  ${index + 1}. ${one}`),
  ].join('\n')
}

async function confirmed(context: CommandContext, name: string): Promise<void> {
  const given = textOption(context.options.confirm)
  if (given === name) return
  if (given !== undefined) throw new UsageError(`--confirm says ${given}, not ${name}`)
  if (!context.ask)
    throw new UsageError(`Remove cluster ${name}? There is no terminal to ask on`, {
      next: `add --confirm ${name} if that is what you want`,
    })
  const typed = await context.ask(`Remove cluster ${name} from the repository? Type ${name} to go on:`)
  if (typed !== name) throw new UsageError('not confirmed; nothing was changed')
}
