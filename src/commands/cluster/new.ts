import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
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
    const [{ clusterAnswersSchema }, { proposedFiles }, { changeFiles }] = await Promise.all([
      import('../../lib/repo/cluster-answers.ts'),
      import('./proposal.ts'),
      import('../../lib/repo/new-files.ts'),
    ])
    const given = await givenAnswers(context, Object.keys(clusterAnswersSchema.shape))
    const files = await proposedFiles(context, repository, name, given)
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
