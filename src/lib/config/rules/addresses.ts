/** Rules about nodes, the virtual address and networks of one cluster, and about networks that must not meet. */
import { isIP } from 'node:net'
import type { YamlPath } from '../document.ts'
import { addresses, firstAddress, virtualAddresses } from '../interfaces.ts'
import { contains, type Network, overlap, parseNetwork } from './networks.ts'
import { place, problem, type Rule, type WithSettings, withSettings, withTalconfig } from './rule.ts'

/** Without these nothing can be said about the rest; what else a cluster needs is found by the rendering of its manifests. */
const requiredSettings = ['CLUSTER_NAME', 'NODE_CIDR', 'POD_CIDR', 'SERVICE_CIDR', 'API_VIP', 'VLAN_ID']
const networkSettings = ['NODE_CIDR', 'POD_CIDR', 'SERVICE_CIDR', 'LB_POOL_CIDR']

const required: Rule = (files) =>
  withSettings(files).flatMap(({ settings, settingsFile }) =>
    requiredSettings.filter((key) => !settings[key]).map((key) => problem(settingsFile, ['data'], `${key} is missing`)),
  )

const wellFormed: Rule = (files) =>
  withSettings(files).flatMap(({ settings, settingsFile }) =>
    networkSettings
      .filter((key) => settings[key] !== undefined && !parseNetwork(settings[key]))
      .map((key) => problem(settingsFile, ['data', key], `${key}: ${settings[key]} is no network (address/prefix)`)),
  )

const nodeAddresses: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile, settings, settingsFile }) => {
    const network = parseNetwork(settings?.NODE_CIDR ?? '')
    return talconfig.nodes.flatMap((node, index) => {
      const path = ['nodes', index, 'ipAddress']
      const malformed = addresses(node).filter((address) => isIP(address) === 0)
      if (malformed.length > 0) return [problem(talconfigFile, path, `${malformed.join(', ')} is no IP address`)]
      const address = firstAddress(node)
      if (!network || !settingsFile || contains(network, address)) return []
      const range = `NODE_CIDR ${network.text} (${place(settingsFile, ['data', 'NODE_CIDR'])})`
      return [problem(talconfigFile, path, `address ${address} of ${node.hostname} is outside ${range}`)]
    })
  })

/** One virtual address, on every control plane and on no worker: a worker that took it would answer for the API and have none. */
const virtualAddress: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile, settings }) => {
    const at = (path: YamlPath, message: string) => problem(talconfigFile, path, message)
    const declared = virtualAddresses(talconfig)
    const onWorkers = declared
      .filter(({ node }) => !node.controlPlane)
      .map(({ ip, path, node }) => at(path, `VIP ${ip} on worker ${node.hostname}: only a control plane may hold it`))
    const held = declared.filter(({ node }) => node.controlPlane)
    const [expected] = held
    if (!expected) {
      const where = 'networkInterfaces[].vip.ip or networkInterfaces[].vlans[].vip.ip'
      return [...onWorkers, at(['nodes'], `missing VIP: no control plane has one (${where})`)]
    }
    const { ip, path } = expected
    const network = parseNetwork(settings?.NODE_CIDR ?? '')
    const owner = talconfig.nodes.find((node) => addresses(node).includes(ip))
    const first = `${ip} of ${place(talconfigFile, path)}`
    return [
      ...onWorkers,
      ...(network && !contains(network, ip) ? [at(path, `VIP ${ip} is outside NODE_CIDR ${network.text}`)] : []),
      ...(owner ? [at(path, `VIP ${ip} is the address of node ${owner.hostname}`)] : []),
      ...held
        .filter((other) => other.ip !== ip)
        .map((other) => at(other.path, `VIP ${other.ip} differs from ${first}`)),
      ...talconfig.nodes.flatMap((node, index) =>
        node.controlPlane && !held.some((other) => other.node === node)
          ? [at(['nodes', index], `control plane ${node.hostname} has no VIP; the others have ${ip}`)]
          : [],
      ),
    ]
  })

interface NamedNetwork {
  cluster: WithSettings
  key: string
  network: Network
}

/** Pods, services, load balancers and nodes of all clusters share one routed network: nothing may overlap. */
const disjointNetworks: Rule = (files) => {
  const networks: NamedNetwork[] = withSettings(files).flatMap((cluster) =>
    networkSettings.flatMap((key) => {
      const network = parseNetwork(cluster.settings[key] ?? '')
      return network ? [{ cluster, key, network }] : []
    }),
  )
  return networks.flatMap((second, index) =>
    networks
      .slice(0, index)
      // Equal node networks are reported once, as a value that two clusters claim.
      .filter((first) => overlap(first.network, second.network) && !sameNodeNetwork(first, second))
      .map((first) => {
        const other = `${first.key} ${first.network.text} of cluster ${first.cluster.name}`
        const where = place(first.cluster.settingsFile, ['data', first.key])
        const message = `${second.key}: ${second.network.text} overlaps ${other} (${where})`
        return problem(second.cluster.settingsFile, ['data', second.key], message)
      }),
  )
}

const sameNodeNetwork = (a: NamedNetwork, b: NamedNetwork) =>
  a.key === 'NODE_CIDR' && b.key === 'NODE_CIDR' && a.network.text === b.network.text

/** Addresses that must lie in another setting's network. */
const insideOf: Record<string, string> = {
  CLUSTER_DNS_IP: 'SERVICE_CIDR',
  GATEWAY_IP: 'NODE_CIDR',
  ENVOY_INTERNAL_IP: 'LB_POOL_CIDR',
  ENVOY_EXTERNAL_IP: 'LB_POOL_CIDR',
}

const settingsInside: Rule = (files) =>
  withSettings(files).flatMap(({ settings, settingsFile }) =>
    Object.entries(insideOf).flatMap(([key, networkKey]) => {
      const address = settings[key]
      const network = parseNetwork(settings[networkKey] ?? '')
      if (address === undefined || !network || contains(network, address)) return []
      return [problem(settingsFile, ['data', key], `${key}: ${address} is outside ${networkKey} ${network.text}`)]
    }),
  )

export const addressRules: Rule[] = [
  required,
  wellFormed,
  nodeAddresses,
  virtualAddress,
  disjointNetworks,
  settingsInside,
]
