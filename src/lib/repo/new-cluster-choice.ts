/** What a new cluster's answers come to beside the clusters that there are: what is not answered is derived, or stays as the other one has it. Pure. */
import { type Network, parseNetwork } from '../config/rules/networks.ts'
import type { Issue } from '../config/schema.ts'
import type { Cluster } from '../types.ts'
import type { AnswerKey, ClusterAnswers } from './cluster-answers.ts'
import { layout } from './layout.ts'
import { type Move, misfits } from './move-addresses.ts'
import type { NewCluster } from './new-cluster.ts'
import { portCounts } from './new-talconfig.ts'

export interface Surroundings {
  clusters: Cluster[]
  /** The cluster whose files are taken. */
  from: Cluster
  /** Its files, and k8sops.yaml, by path. */
  sources: ReadonlyMap<string, string>
  /** Applications that it runs. */
  overlays: { app: string; entry: string }[]
  /** Settings that these applications use and nothing else. */
  settingsOnlyOf: (apps: string[]) => Set<string>
}

/** @returns a choice also when something is wrong: then the other cluster's value stands where the answer was */
export function chooseCluster(
  name: string,
  answers: ClusterAnswers,
  around: Surroundings,
): { choice: NewCluster; issues: Issue[] } {
  const { clusters, from, overlays } = around
  const { settings } = from
  const issues: Issue[] = []
  const machines = answers.nodes?.map(({ ports, ...machine }) => ({ ...machine, ...(ports ? { ports } : {}) }))
  const wanted = answers.apps ?? []
  const own = clusters.find((cluster) => cluster.name === name)
  const next = Math.max(0, ...clusters.map((cluster) => Number(cluster.settings.CLUSTER_ID))) + 1
  const choice: NewCluster = {
    name,
    from: from.name,
    source: from.nodes,
    moves: [...hostMoves(answers, settings), ...networkMoves(answers, around, issues)],
    vlan: String(answers.vlan ?? settings.VLAN_ID),
    domain: answers.domain ?? settings.CLUSTER_DOMAIN ?? '',
    asn: String(answers.asn ?? settings.CILIUM_ASN),
    id: String(answers.id ?? own?.settings.CLUSTER_ID ?? next),
    follows: answers.follows ?? 'main',
    apps: overlays.filter(({ app }) => wanted.includes(app)).map(({ entry }) => entry),
    unused: around.settingsOnlyOf(overlays.filter(({ app }) => !wanted.includes(app)).map(({ app }) => app)),
    machines,
    disks: answers.disks,
  }
  const runs = overlays.map(({ app }) => app).join(', ') || 'none'
  for (const [index, app] of wanted.entries())
    if (!overlays.some((one) => one.app === app))
      issues.push({ path: ['apps', index], message: `${from.name} has no application ${app}; it runs ${runs}` })
  if (answers.asn !== undefined && String(answers.asn) === settings.SRX_ASN)
    issues.push({
      path: ['asn'],
      message: `${answers.asn} is the router's (SRX_ASN); the cluster needs one of its own`,
    })
  issues.push(...machineIssues(choice, around), ...roomIssues(choice, answers))
  return { choice, issues }
}

const networkAnswers = {
  cidr: 'NODE_CIDR',
  pods: 'POD_CIDR',
  services: 'SERVICE_CIDR',
  lbPool: 'LB_POOL_CIDR',
} as const
const addressAnswers = { vip: 'API_VIP', gateway: 'GATEWAY_IP' } as const

function hostMoves(answers: ClusterAnswers, settings: Cluster['settings']): Move[] {
  return Object.entries(addressAnswers).flatMap(([key, setting]): Move[] => {
    const to = answers[key as keyof typeof addressAnswers]
    const old = settings[setting]
    return old && to ? [[host(old), host(to)]] : []
  })
}

const host = (address: string): Network => ({ text: `${address}/32`, address, family: 'ipv4', prefix: 32 })

/** What keeps its place needs one: machines and addresses that are answered by themselves go where they are told. */
function networkMoves(answers: ClusterAnswers, { from, sources }: Surroundings, issues: Issue[]): Move[] {
  const told = [
    ...(answers.nodes ? from.nodes.map(({ address }) => address) : []),
    ...Object.entries(addressAnswers).flatMap(([key, setting]) =>
      answers[key as keyof typeof addressAnswers] ? [from.settings[setting] ?? ''] : [],
    ),
  ]
  return Object.entries(networkAnswers).flatMap(([key, setting]): Move[] => {
    const answer = answers[key as keyof typeof networkAnswers]
    const [old, to] = [parseNetwork(from.settings[setting] ?? ''), parseNetwork(answer ?? '')]
    if (!to) return []
    if (!old) {
      issues.push({ path: [key], message: `cluster ${from.name} has no ${setting} to put it in the place of` })
      return []
    }
    const texts = [sources.get(layout.talconfig(from.name)), sources.get(layout.settings(from.name))].join('\n')
    const without = misfits(texts, [old, to]).filter((address) => !told.includes(address))
    if (without.length > 0)
      issues.push({
        path: [key],
        message: `${to.text} is too small: no place for what is ${without.join(', ')} in ${old.text}`,
      })
    return [[old, to]]
  })
}

function machineIssues({ machines = [], source, from }: NewCluster, { sources }: Surroundings): Issue[] {
  const counts = portCounts(sources.get(layout.talconfig(from)) ?? '')
  const models = source.map((machine, index) => ({ ...machine, ports: counts[index] ?? 0 }))
  return machines.flatMap(({ controlPlane, ports }, index): Issue[] => {
    const role = controlPlane ? 'control plane' : 'worker'
    const alike = models.filter((model) => model.controlPlane === controlPlane)
    const place = machines.slice(0, index).filter((machine) => machine.controlPlane === controlPlane).length
    const model = alike[place] ?? alike.at(-1)
    if (!model) return [{ path: ['nodes', index], message: `cluster ${from} has no ${role} to take it after` }]
    if (!ports || ports.length === model.ports) return []
    const message = `${ports.length} of them; ${model.hostname}, which it is made after, has ${model.ports}`
    return [{ path: ['nodes', index, 'ports'], message }]
  })
}

/** kube-controller-manager gives each node a /24 of the pods' network (its default); kube-apiserver takes a /12 of Services at most. */
function roomIssues({ machines, source }: NewCluster, answers: ClusterAnswers): Issue[] {
  const nodes = machines?.length ?? source.length
  const [pods, services] = [parseNetwork(answers.pods ?? ''), parseNetwork(answers.services ?? '')]
  const room = pods && pods.prefix <= 24 ? 2 ** (24 - pods.prefix) : 0
  return [
    ...(pods && room < nodes
      ? [{ path: ['pods'], message: `${pods.text} has room for ${room} nodes of ${nodes}: each takes a /24` }]
      : []),
    ...(services && services.prefix < 12
      ? [{ path: ['services'], message: `${services.text} is too large: kube-apiserver takes /12 to /28` }]
      : []),
  ]
}

/** Settings by the answer that they come from. */
export const settingsOfAnswers: Partial<Record<AnswerKey, string[]>> = {
  ...Object.fromEntries(
    Object.entries({ ...networkAnswers, ...addressAnswers }).map(([key, setting]) => [key, [setting]]),
  ),
  name: ['CLUSTER_NAME', 'ONEPASSWORD_VAULT'],
  id: ['CLUSTER_ID'],
  domain: ['CLUSTER_DOMAIN'],
  vlan: ['VLAN_ID'],
  asn: ['CILIUM_ASN'],
  follows: ['GIT_REF'],
}
