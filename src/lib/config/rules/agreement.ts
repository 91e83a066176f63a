/** A fact that stands in both talconfig.yaml and cluster-settings.yaml must be the same in both. */
import { virtualAddresses, vlans } from '../interfaces.ts'
import { place, problem, type Rule, type SoundCluster, soundClusters, withSettings, withTalconfig } from './rule.ts'

/** The endpoint in kubeconfigs is the virtual address, on the API server's port. */
const endpoint: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile }) => {
    const vip = virtualAddresses(talconfig).find(({ node }) => node.controlPlane)?.ip
    const expected = `https://${vip?.includes(':') ? `[${vip}]` : vip}:6443`
    if (vip === undefined || talconfig.endpoint === expected) return []
    // A name is fine, it resolves to the address; another address or port is not.
    if (/^https:\/\/[a-z][-a-z0-9.]*:6443$/i.test(talconfig.endpoint)) return []
    return [problem(talconfigFile, ['endpoint'], `endpoint: ${talconfig.endpoint} is not the VIP's ${expected}`)]
  })

const vip: Rule = (files) =>
  soundClusters(files).flatMap((cluster) => {
    const declared = virtualAddresses(cluster.talconfig).find(({ node }) => node.controlPlane)
    return declared ? mustEqual(cluster, 'API_VIP', declared.ip, declared.path, 'VIP') : []
  })

const vlanId: Rule = (files) =>
  soundClusters(files).flatMap((cluster) => {
    const ids = vlans(cluster.talconfig)
    const [first] = ids
    // With several VLANs it is enough that the cluster's own is one of them.
    if (!first || ids.some(({ id }) => String(id) === cluster.settings.VLAN_ID)) return []
    return mustEqual(cluster, 'VLAN_ID', String(first.id), first.path, 'vlanId')
  })

const podNetworks: Rule = (files) =>
  soundClusters(files).flatMap((cluster) => subnets(cluster, 'POD_CIDR', 'clusterPodNets'))
const serviceNetworks: Rule = (files) =>
  soundClusters(files).flatMap((cluster) => subnets(cluster, 'SERVICE_CIDR', 'clusterSvcNets'))

/** Unset, talhelper leaves Talos' defaults (10.244.0.0/16, 10.96.0.0/12), which every cluster would share. */
function subnets(cluster: SoundCluster, key: string, field: 'clusterPodNets' | 'clusterSvcNets') {
  const [first] = cluster.talconfig[field] ?? []
  if (first === undefined) {
    return [
      problem(cluster.talconfigFile, ['clusterName'], `${field} is unset: Talos' default would contradict ${key}`),
    ]
  }
  return mustEqual(cluster, key, first, [field, 0], field)
}

function mustEqual(cluster: SoundCluster, key: string, value: string, path: (string | number)[], field: string) {
  const setting = cluster.settings[key]
  if (setting === undefined || setting === value) return []
  const where = place(cluster.talconfigFile, path)
  return [problem(cluster.settingsFile, ['data', key], `${key}: ${setting} contradicts ${field} ${value} (${where})`)]
}

/** What the FluxInstance pulls is what `follows` promises: source checks and rollout go by the latter. */
const gitRef: Rule = ({ file, clusters }) =>
  withSettings({ clusters }).flatMap(({ name, follows, settings, settingsFile }) => {
    const { GIT_REF: ref } = settings
    if (!file || ref === undefined || ref === `refs/heads/${follows}`) return []
    const where = place(file, ['clusters', name, 'follows'])
    return [problem(settingsFile, ['data', 'GIT_REF'], `GIT_REF: ${ref} contradicts follows ${follows} (${where})`)]
  })

export const agreementRules: Rule[] = [gitRef, endpoint, vip, vlanId, podNetworks, serviceNetworks]
