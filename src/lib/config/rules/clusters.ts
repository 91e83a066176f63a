/** Rules about which clusters there are, and about what must be unique across them. */
import { layout } from '../../repo/layout.ts'
import { addresses, ports, vlans } from '../interfaces.ts'
import { place, problem, type Rule, type WithTalconfig, withSettings, withTalconfig } from './rule.ts'

/** Names in k8sops.yaml and directories under kubernetes/clusters/ are the same set; the order names each cluster once. */
const knownClusters: Rule = ({ file, repository, clusterDirs }) => {
  if (!file || !repository) return []
  const names = Object.keys(repository.clusters)
  const list = names.join(', ')
  const { order } = repository.rollout
  const unknown = (name: string) => `unknown cluster ${name}; the clusters are: ${list}`
  return [
    ...(names.includes(repository.defaultCluster)
      ? []
      : [problem(file, ['defaultCluster'], `defaultCluster: ${unknown(repository.defaultCluster)}`)]),
    ...order.flatMap((name, index) =>
      names.includes(name) ? [] : [problem(file, ['rollout', 'order', index], `rollout.order: ${unknown(name)}`)],
    ),
    ...order.flatMap((name, index) =>
      order.indexOf(name) === index
        ? []
        : [problem(file, ['rollout', 'order', index], `rollout.order: ${name} stands there twice`)],
    ),
    ...names.flatMap((name) =>
      order.includes(name) ? [] : [problem(file, ['clusters', name], `cluster ${name} is missing from rollout.order`)],
    ),
    ...clusterDirs.flatMap((name) =>
      names.includes(name)
        ? []
        : [{ file: layout.cluster(name), line: 1, message: `cluster ${name} has no entry in ${file.path} (clusters)` }],
    ),
  ]
}

/** talconfig.yaml and cluster-settings.yaml say the name of the directory that they are in. */
const ownName: Rule = (files) => [
  ...withTalconfig(files)
    .filter(({ name, talconfig }) => talconfig.clusterName !== name)
    .map(({ name, talconfig, talconfigFile: file }) =>
      problem(file, ['clusterName'], `clusterName: is ${talconfig.clusterName}, but this is cluster ${name}`),
    ),
  ...withSettings(files)
    .filter(({ name, settings }) => settings.CLUSTER_NAME !== undefined && settings.CLUSTER_NAME !== name)
    .map(({ name, settings, settingsFile: file }) =>
      problem(file, ['data', 'CLUSTER_NAME'], `CLUSTER_NAME: is ${settings.CLUSTER_NAME}, but this is cluster ${name}`),
    ),
]

interface Claim {
  cluster: string
  value: string
  where: string
  at: (message: string) => ReturnType<typeof problem>
}

/** A second claim on a value is a problem that names the first one's place. */
function clashes(claims: Claim[], message: (first: Claim, second: Claim) => string) {
  const first = new Map<string, Claim>()
  return claims.flatMap((claim) => {
    const earlier = first.get(claim.value)
    if (!earlier) first.set(claim.value, claim)
    return earlier ? [claim.at(message(earlier, claim))] : []
  })
}

const nodeClaims = (cluster: WithTalconfig, key: 'hostname' | 'ipAddress'): Claim[] =>
  cluster.talconfig.nodes.flatMap((node, index) =>
    (key === 'hostname' ? [node.hostname] : addresses(node)).map((value) => {
      const path = ['nodes', index, key]
      return {
        cluster: cluster.name,
        value,
        where: place(cluster.talconfigFile, path),
        at: (message: string) => problem(cluster.talconfigFile, path, message),
      }
    }),
  )

/** talhelper does not look: of two nodes with one hostname the second file overwrites the first. */
const uniqueNodes: Rule = (files) => {
  const clusters = withTalconfig(files)
  const described = { hostname: 'hostname', ipAddress: 'address' } as const
  return (['hostname', 'ipAddress'] as const).flatMap((key) =>
    clashes(
      clusters.flatMap((cluster) => nodeClaims(cluster, key)),
      (first, second) =>
        first.cluster === second.cluster
          ? `duplicate ${described[key]} ${second.value}: also at ${first.where}`
          : `node in two clusters: ${described[key]} ${second.value} belongs to cluster ${first.cluster} (${first.where})`,
    ),
  )
}

/** Facts that make two clusters one if they are equal: VLAN, Cilium's cluster id, the BGP ASN, the virtual address. */
const uniqueSettings: Rule = (files) =>
  ['CLUSTER_ID', 'CLUSTER_DOMAIN', 'VLAN_ID', 'CILIUM_ASN', 'API_VIP', 'NODE_CIDR'].flatMap((key) =>
    clashes(
      withSettings(files).flatMap(({ name, settings, settingsFile }) => {
        const value = settings[key]
        if (value === undefined) return []
        const path = ['data', key]
        return [
          {
            cluster: name,
            value,
            where: place(settingsFile, path),
            at: (message: string) => problem(settingsFile, path, message),
          },
        ]
      }),
      (first, second) => `${key}: ${second.value} is cluster ${first.cluster}'s (${first.where})`,
    ),
  )

const uniqueVlans: Rule = (files) =>
  clashes(
    withTalconfig(files).flatMap(({ name, talconfig, talconfigFile }) => {
      const places = vlans(talconfig)
      return places
        .filter(({ id }, index) => places.findIndex((other) => other.id === id) === index)
        .map(({ id, path }) => ({
          cluster: name,
          value: String(id),
          where: place(talconfigFile, path),
          at: (message: string) => problem(talconfigFile, path, message),
        }))
    }),
    (first, second) => `duplicate VLAN ${second.value}: cluster ${first.cluster} has it (${first.where})`,
  )

/** A port is in one machine: named twice, it was copied with the entry of another one. */
const uniquePorts: Rule = (files) =>
  clashes(
    withTalconfig(files).flatMap(({ name, talconfig, talconfigFile }) => {
      const all = talconfig.nodes.flatMap((node) => ports(talconfig, node))
      // What a node has of its group stands there once.
      const once = new Map(all.map((port) => [port.path.join('/'), port]))
      return [...once.values()].map(({ address, path }) => ({
        cluster: name,
        value: address,
        where: place(talconfigFile, path),
        at: (message: string) => problem(talconfigFile, path, message),
      }))
    }),
    (first, second) => `duplicate port ${second.value}: also at ${first.where}`,
  )

export const clusterRules: Rule[] = [knownClusters, ownName, uniqueNodes, uniqueSettings, uniqueVlans, uniquePorts]
