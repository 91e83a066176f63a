/** What was answered about a new cluster, and its files as the rules accept them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ZodObject } from 'zod'
import type { CommandContext, OptionSpec } from '../../lib/cli/define.ts'
import type { Issue } from '../../lib/config/schema.ts'
import type { ClusterAnswers } from '../../lib/repo/cluster-answers.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { Cluster, Problem } from '../../lib/types.ts'
import { askMissing, type Given } from './answers.ts'

export interface Answered<Answers> {
  answers: Answers
  issues: Issue[]
}

/** Reads what was given, and asks for what is missing; whatever is wrong is an issue. */
export async function answered<Answers>(
  context: CommandContext,
  given: Given,
  ask: { schema: ZodObject; required: readonly string[]; options: OptionSpec[]; example: Cluster | undefined },
): Promise<Answered<Answers>> {
  const { schema, required, options } = ask
  const settings = ask.example?.settings ?? {}
  const missing = required.filter((key) => given.values[key] === undefined)
  const asked = await askMissing(context, schema, missing, options, {
    cidr: settings.NODE_CIDR,
    pods: settings.POD_CIDR,
    services: settings.SERVICE_CIDR,
    lbPool: settings.LB_POOL_CIDR,
    vlan: settings.VLAN_ID,
    domain: settings.CLUSTER_DOMAIN,
    asn: settings.CILIUM_ASN,
    git: settings.GIT_URL,
  })
  const { readAnswers } = await import('../../lib/repo/cluster-answers.ts')
  const { answers, issues } = readAnswers(schema, { ...given.values, ...asked })
  const left = missing.filter((key) => !(key in asked)).map((key) => ({ path: [key], message: 'is missing' }))
  return { answers: answers as Answers, issues: [...issues, ...left] }
}

/** What `cluster` consists of in the repository at `root`, and k8sops.yaml. Texts by path. */
export async function sourcesOf(root: string, cluster: string, more: string[] = []): Promise<Map<string, string>> {
  const { readSourceFiles } = await import('../../lib/repo/source-files.ts')
  const paths = [layout.talconfig(cluster), layout.bootstrapOf(cluster), layout.cluster(cluster), ...more]
  const found = readSourceFiles(root, paths)
  const list: [string, string] = [layout.repositoryFile, readFileSync(join(root, layout.repositoryFile), 'utf8')]
  return new Map([list, ...found.map(({ path, text }): [string, string] => [path, text])])
}

/**
 * Says what is wrong with the answers, and what the rules say of the files that came of them, all at once.
 * @param problems what the rules say
 */
export async function refuseWrong(
  given: Given,
  name: string,
  { answers, issues }: Answered<ClusterAnswers>,
  files: ReadonlyMap<string, string>,
  problems: Problem[],
): Promise<void> {
  const { atAnswers } = await import('../../lib/repo/answer-places.ts')
  const wrong = new Set(issues.map(({ path }) => path[0]))
  const found = atAnswers(problems, name, answers, files, given.where)
  // Where an answer is no good the other cluster's value stands, and is that cluster's; so is a place in a network that is not told.
  const rests = (key: unknown) => wrong.has('cidr') && ['nodes', 'vip', 'gateway'].includes(String(key))
  const more = found.issues.filter(({ path: [key] }) => !wrong.has(key) && !rests(key))
  given.refuse([...issues, ...more], issues.length > 0 ? [] : found.others)
}
