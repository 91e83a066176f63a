import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import type { Repository } from '../../lib/config/load.ts'
import { UsageError } from '../../lib/errors.ts'
import { enabledOverlays } from '../../lib/repo/applications.ts'
import type { ClusterAnswers } from '../../lib/repo/cluster-answers.ts'
import { layout } from '../../lib/repo/layout.ts'
import { answerOptions, givenAnswers } from './answers.ts'

export const clusterNew = defineCommand({
  path: 'cluster new',
  summary: 'Write the files of a new cluster, after the example of one that there is',
  description:
    'Machines, settings, list of components, first secrets and its entry in k8sops.yaml. Answers come from the command line, above a file (`--answers`), and what is missing is asked for on a terminal. Addresses keep their place in the new networks. What nobody has looked up on the new machines is marked `# CONFIRM:`, and no run touches a real cluster while such a mark is left. The rules of `k8sops validate` about addresses, names and versions are asked first; when one does not hold, nothing is written. Once more with the same answers changes nothing.',
  effect: 'local',
  scope: 'repository',
  args: { name: 'lower-case letters, digits, hyphens; hostnames begin with it' },
  options: [
    {
      flags: '--from <cluster>',
      description: 'whose files are taken (default: defaultCluster of k8sops.yaml)',
      complete: ({ clusters }) => clusters.map(({ name }) => name),
    },
    ...answerOptions,
    { flags: '--follows <branch>', description: 'branch that Flux follows (default: main)' },
    { flags: '--apps <names...>', description: 'applications of the other cluster that it runs, too' },
  ],
  examples: [
    'k8sops cluster new staging --from apps --answers staging.yaml',
    'k8sops cluster new staging --from apps --cidr 10.25.12.0/24 --pods 10.46.0.0/16 --services 10.47.0.0/16 --lb-pool 10.25.30.0/24 --vlan 2512 --domain staging.monosense.io --asn 64515',
  ],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const repository = await context.repository()
    const { root } = repository
    const { name = '' } = context.args
    if (!/^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/.test(name))
      throw new UsageError(`${name}: a name has at most 32 lower-case letters, digits and hyphens`)
    const files = await proposedFiles(context, repository, name)
    const { changeFiles } = await import('../../lib/repo/new-files.ts')
    const { [layout.repositoryFile]: list = '', ...fresh } = Object.fromEntries(files)
    const known = repository.clusters.some((cluster) => cluster.name === name)
    if (known) refuseOthers(root, name, fresh)
    else
      await changeFiles(root, {
        fresh: new Map(Object.entries(fresh)),
        edited: new Map([[layout.repositoryFile, list]]),
      })
    context.note(
      `${known ? 'everything is there already' : 'look at every # CONFIRM:'}, then: k8sops validate && k8sops lab up --cluster ${name} && k8sops bootstrap --cluster ${name} --lab`,
    )
    return {
      kind: 'ClusterFiles',
      items: [...files.keys()].map((file) => ({ file, written: !known })),
      columns: [{ title: known ? 'there' : 'written', value: ({ file }) => String(file) }],
    }
  },
})

/**
 * @returns texts by path: the cluster's own files, and k8sops.yaml with its entry if it has none yet
 * @throws UsageError or ConfigError with everything that is wrong with the answers
 */
async function proposedFiles(context: CommandContext, { root, clusters, defaultCluster }: Repository, name: string) {
  const [{ clusterAnswersSchema: schema, requiredAnswers: required }, { answered, refuseWrong, sourcesOf }] =
    await Promise.all([import('../../lib/repo/cluster-answers.ts'), import('./proposal.ts')])
  // Its name is an argument.
  const options = Object.keys(schema.shape).filter((key) => key !== 'name')
  const given = await givenAnswers(context, options, 'cluster new')
  const names = clusters.map((cluster) => cluster.name)
  const wanted = given.values.from ?? defaultCluster
  const from = clusters.find((cluster) => cluster.name === wanted)
  const ask = { schema, required, options: answerOptions, example: from }
  const { answers, issues } = await answered<ClusterAnswers>(context, given, ask)
  if (answers.name !== undefined && answers.name !== name)
    issues.push({ path: ['name'], message: `${answers.name}, but the files are to be those of ${name}` })
  if (issues.length > 0 && names.includes(name))
    issues.unshift({ path: ['name'], message: `there is a cluster ${name} already` })
  if (!from) issues.push({ path: ['from'], message: `${String(wanted)} is none of the clusters ${names.join(', ')}` })
  if (!from) return given.refuse(issues) as never

  const [{ chooseCluster }, { newClusterFiles }, { problemsWith }, { settingsOnlyOf }, sources] = await Promise.all([
    import('../../lib/repo/new-cluster-choice.ts'),
    import('../../lib/repo/new-cluster.ts'),
    import('../../lib/repo/checked-copy.ts'),
    import('../../lib/repo/settings-use.ts'),
    sourcesOf(root, from.name),
  ])
  const chosen = chooseCluster(name, answers, {
    clusters,
    from,
    sources,
    overlays: enabledOverlays(root, names, from.name),
    settingsOnlyOf: (apps) => settingsOnlyOf(root, Object.keys(from.settings), apps),
  })
  issues.push(...chosen.issues)
  // A machine that has nobody to be made after has no files to ask about.
  if (issues.some(({ path }) => path[0] === 'nodes')) given.refuse(issues)
  const files = newClusterFiles(chosen.choice, sources)
  if (names.includes(name)) files.delete(layout.repositoryFile)
  await refuseWrong(given, name, { answers, issues }, files, await problemsWith(root, files))
  return files
}

/** A cluster that there is stays as it is: somebody may have confirmed facts in its files. */
function refuseOthers(root: string, name: string, files: Record<string, string>): void {
  const other = Object.entries(files)
    .filter(([file, text]) => !existsSync(join(root, file)) || readFileSync(join(root, file), 'utf8') !== text)
    .map(([file]) => file)
  if (other.length === 0) return
  throw new UsageError(`there is a cluster ${name} already, and these answers would change ${other.join(', ')}`, {
    next: `another name; or edit what is there; or k8sops cluster remove ${name}`,
  })
}
