import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import type { Repository } from '../../lib/config/load.ts'
import { UsageError } from '../../lib/errors.ts'
import { readApplications } from '../../lib/repo/applications.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { NewCluster } from '../../lib/repo/new-cluster.ts'
import type { Cluster } from '../../lib/types.ts'

export const clusterNew = defineCommand({
  path: 'cluster new',
  summary: 'Write the files of a new cluster, after the example of one that there is',
  description:
    'Machines, settings, list of components, first secrets and its entry in k8sops.yaml. Addresses keep their place in the new networks. What nobody has looked up on the new machines is marked `# CONFIRM:`, and no run touches a real cluster while such a mark is left. The rules of `k8sops validate` about addresses, names and versions are asked first; when one does not hold, nothing is written.',
  effect: 'local',
  scope: 'repository',
  args: { name: 'lower-case letters, digits, hyphens; hostnames begin with it' },
  options: [
    { flags: '--from <cluster>', description: 'whose files are taken', complete: (repository) => names(repository) },
    { flags: '--cidr <network>', description: 'of the nodes' },
    { flags: '--pods <network>', description: 'of the pods' },
    { flags: '--services <network>', description: 'of the Services' },
    { flags: '--lb-pool <network>', description: 'that the load balancer gives out' },
    { flags: '--vlan <id>', description: 'VLAN of the nodes' },
    { flags: '--domain <domain>', description: 'of its hosts' },
    { flags: '--asn <number>', description: 'its autonomous system (BGP)' },
    { flags: '--id <number>', description: "Cilium's id of it (default: the next free one)" },
    { flags: '--follows <branch>', description: 'branch that Flux follows', default: 'main' },
    { flags: '--apps <names...>', description: 'applications of the other cluster that it runs, too', default: [] },
  ],
  examples: [
    'k8sops cluster new staging --from apps --cidr 10.25.12.0/24 --pods 10.46.0.0/16 --services 10.47.0.0/16 --lb-pool 10.25.30.0/24 --vlan 2512 --domain staging.monosense.io --asn 64515',
  ],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const repository = await context.repository()
    const { root } = repository
    const [{ newClusterFiles }, { checkedCopy }, { writeNewFiles, editFile }] = await Promise.all([
      import('../../lib/repo/new-cluster.ts'),
      import('../../lib/repo/checked-copy.ts'),
      import('../../lib/repo/new-files.ts'),
    ])
    const choice = await chosen(context, repository)
    const files = newClusterFiles(choice, sourcesOf(root, choice.from))
    await checkedCopy(root, files)
    const { [layout.repositoryFile]: list = '', ...fresh } = Object.fromEntries(files)
    await writeNewFiles(root, new Map(Object.entries(fresh)))
    await editFile(root, layout.repositoryFile, () => list)
    const { name } = choice
    context.note(
      `look at every # CONFIRM:, then: k8sops validate && k8sops lab up --cluster ${name} && k8sops bootstrap --cluster ${name} --lab`,
    )
    return {
      kind: 'ClusterFiles',
      items: [...files.keys()].map((file) => ({ file })),
      columns: [{ title: 'written', value: ({ file }) => String(file) }],
    }
  },
})

const names = ({ clusters }: Repository) => clusters.map(({ name }) => name)

/** What `from` consists of, by path. */
function sourcesOf(root: string, from: string): Map<string, string> {
  const below = (directory: string) =>
    readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => posix.join(parentPath.slice(root.length + 1), name))
  const files = [
    layout.repositoryFile,
    layout.talconfig(from),
    ...below(layout.bootstrapOf(from)),
    ...below(layout.cluster(from)),
  ]
  return new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
}

async function chosen(context: CommandContext, repository: Repository): Promise<NewCluster> {
  const { root, clusters, defaultCluster } = repository
  const text = (option: string) => textOption(context.options[option])
  const { name = '' } = context.args
  const from = clusters.find((cluster) => cluster.name === (text('from') ?? defaultCluster))
  const wanted = (context.options.apps as string[] | undefined) ?? []
  const overlays = readApplications(root, names(repository)).flatMap((application) =>
    application.overlays
      .filter(({ cluster, enabled }) => cluster === from?.name && enabled)
      .map(({ namespace }) => ({ app: application.name, entry: `${namespace}/${application.name}` })),
  )
  const missing = (['cidr', 'pods', 'services', 'lbPool', 'vlan', 'domain', 'asn'] as const).filter(
    (option) => text(option) === undefined,
  )
  const wrong: [boolean, string][] = [
    [!/^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/.test(name), `${name}: a name has lower-case letters, digits and hyphens`],
    [names(repository).includes(name), `there is a cluster ${name} already`],
    [from === undefined, `--from ${text('from')}: the clusters are ${names(repository).join(', ')}`],
    ...missing.map((option): [boolean, string] => [true, `--${option.replace('lbPool', 'lb-pool')} is missing`]),
    [!/^\d*$/.test(text('vlan') ?? ''), `--vlan ${text('vlan')}: a number`],
    [!/^\d*$/.test(text('asn') ?? ''), `--asn ${text('asn')}: a number`],
    [!/^\d*$/.test(text('id') ?? ''), `--id ${text('id')}: a number`],
    ...wanted.map((app): [boolean, string] => [
      !overlays.some((one) => one.app === app),
      `--apps ${app}: ${from?.name} runs ${overlays.map((one) => one.app).join(', ') || 'none'}`,
    ]),
  ]
  const { parseNetwork } = await import('../../lib/config/rules/networks.ts')
  const settings: Cluster['settings'] = from?.settings ?? {}
  const move = (option: string, key: string): NewCluster['moves'] => {
    const [old, to] = [parseNetwork(settings[key] ?? ''), parseNetwork(text(option) ?? '')]
    if (text(option) === undefined) return []
    const alike = old && to?.family === 'ipv4' && to.prefix === old.prefix
    if (alike) return [[old, to]]
    wrong.push([
      true,
      `--${option.replace('lbPool', 'lb-pool')} ${text(option)}: a network of the size of ${settings[key]}`,
    ])
    return []
  }
  const moves = [
    ...move('cidr', 'NODE_CIDR'),
    ...move('pods', 'POD_CIDR'),
    ...move('services', 'SERVICE_CIDR'),
    ...move('lbPool', 'LB_POOL_CIDR'),
  ]
  const said = wrong.flatMap(([is, what]) => (is ? [what] : []))
  if (said.length > 0 || !from) throw new UsageError(said.join('; '), { next: 'k8sops cluster new --help' })
  const ids = clusters.map((cluster) => Number(cluster.settings.CLUSTER_ID))
  const apps = overlays.filter(({ app }) => wanted.includes(app))
  const { settingsOnlyOf } = await import('../../lib/repo/settings-use.ts')
  return {
    name,
    from: from.name,
    moves,
    vlan: text('vlan') ?? '',
    domain: text('domain') ?? '',
    asn: text('asn') ?? '',
    id: text('id') ?? String(Math.max(0, ...ids) + 1),
    follows: text('follows') ?? '',
    apps: apps.map(({ entry }) => entry),
    unused: settingsOnlyOf(
      root,
      Object.keys(settings),
      overlays.filter(({ app }) => !wanted.includes(app)).map(({ app }) => app),
    ),
  }
}
