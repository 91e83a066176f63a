/** The files of a new cluster, as answers and rules accept them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { CommandContext } from '../../lib/cli/define.ts'
import type { Repository } from '../../lib/config/load.ts'
import { readApplications } from '../../lib/repo/applications.ts'
import { layout } from '../../lib/repo/layout.ts'
import { askMissing, type Given } from './answers.ts'

/**
 * @returns texts by path: the cluster's own files, and k8sops.yaml with its entry
 * @throws UsageError or ConfigError with everything that is wrong with the answers
 */
export async function proposedFiles(
  context: CommandContext,
  repository: Repository,
  name: string,
  given: Given,
): Promise<Map<string, string>> {
  const { clusterAnswersSchema, readAnswers, requiredAnswers } = await import('../../lib/repo/cluster-answers.ts')
  const { root, clusters, defaultCluster } = repository
  const names = clusters.map((cluster) => cluster.name)
  const wanted = given.values.from ?? defaultCluster
  const from = clusters.find((cluster) => cluster.name === wanted)
  const missing = requiredAnswers.filter((key) => given.values[key] === undefined)
  const settings = from?.settings ?? {}
  const asked = await askMissing(context, clusterAnswersSchema, missing, {
    cidr: settings.NODE_CIDR,
    pods: settings.POD_CIDR,
    services: settings.SERVICE_CIDR,
    lbPool: settings.LB_POOL_CIDR,
    vlan: settings.VLAN_ID,
    domain: settings.CLUSTER_DOMAIN,
    asn: settings.CILIUM_ASN,
  })
  const { answers, issues } = readAnswers(clusterAnswersSchema, { ...given.values, ...asked })
  issues.push(...missing.filter((key) => !(key in asked)).map((key) => ({ path: [key], message: 'is missing' })))
  if (answers.name !== undefined && answers.name !== name)
    issues.push({ path: ['name'], message: `${answers.name}, but the files are to be those of ${name}` })
  if (issues.length > 0 && names.includes(name))
    issues.unshift({ path: ['name'], message: `there is a cluster ${name} already` })
  if (!from) issues.push({ path: ['from'], message: `${String(wanted)} is none of the clusters ${names.join(', ')}` })
  if (!from) return given.refuse(issues) as never

  const [{ chooseCluster }, { newClusterFiles }, { problemsWith }, { atAnswers }, { settingsOnlyOf }] =
    await Promise.all([
      import('../../lib/repo/new-cluster-choice.ts'),
      import('../../lib/repo/new-cluster.ts'),
      import('../../lib/repo/checked-copy.ts'),
      import('../../lib/repo/answer-places.ts'),
      import('../../lib/repo/settings-use.ts'),
    ])
  const sources = sourcesOf(root, from.name)
  const chosen = chooseCluster(name, answers, {
    clusters,
    from,
    sources,
    overlays: enabledOn(repository, from.name),
    settingsOnlyOf: (apps) => settingsOnlyOf(root, Object.keys(settings), apps),
  })
  issues.push(...chosen.issues)
  const wrong = new Set(issues.map(({ path }) => path[0]))
  // A machine that has nobody to be made after has no files to ask about.
  if (wrong.has('nodes')) given.refuse(issues)
  const files = newClusterFiles(chosen.choice, sources)
  if (names.includes(name)) files.delete(layout.repositoryFile)
  const found = atAnswers(await problemsWith(root, files), name, answers, files, given.where)
  // Where an answer is no good the other cluster's value stands, and is that cluster's; so is a place in a network that is not told.
  const rests = (key: unknown) => wrong.has('cidr') && ['nodes', 'vip', 'gateway'].includes(String(key))
  const more = found.issues.filter(({ path: [key] }) => !wrong.has(key) && !rests(key))
  given.refuse([...issues, ...more], issues.length > 0 ? [] : found.others)
  return files
}

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

const enabledOn = ({ root, clusters }: Repository, cluster: string) =>
  readApplications(
    root,
    clusters.map(({ name }) => name),
  ).flatMap((application) =>
    application.overlays
      .filter((overlay) => overlay.cluster === cluster && overlay.enabled)
      .map(({ namespace }) => ({ app: application.name, entry: `${namespace}/${application.name}` })),
  )
