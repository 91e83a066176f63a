/** The files of a new cluster, made from those of one that there is. Pure: files go in and out. */
import type { Network } from '../config/rules/networks.ts'
import { layout } from './layout.ts'
import { moveAddresses } from './move-addresses.ts'
import { parseDocument } from './yaml.ts'

export interface NewCluster {
  name: string
  /** The cluster whose files are taken. */
  from: string
  /** Of the nodes, the pods, the Services and the load balancer's addresses: where each was, and where it goes. */
  moves: [from: Network, to: Network][]
  vlan: string
  domain: string
  /** Cilium's id of the cluster. */
  id: string
  /** Its autonomous system. */
  asn: string
  /** Branch. */
  follows: string
  /** `<namespace>/<app>` of those applications that it runs. */
  apps: string[]
  /** Settings that only applications use which it does not run. */
  unused: ReadonlySet<string>
}

/** @param sources the files of `from` and k8sops.yaml, by path */
export function newClusterFiles(choice: NewCluster, sources: ReadonlyMap<string, string>): Map<string, string> {
  const { name, from } = choice
  const read = (path: string) => sources.get(path) ?? ''
  const files = new Map<string, string>()
  files.set(layout.talconfig(name), talconfig(choice, read(layout.talconfig(from))))
  files.set(layout.settings(name), settings(choice, read(layout.settings(from))))
  const secrets = `${layout.bootstrapOf(from)}/secrets.yaml.tpl`
  if (sources.has(secrets)) files.set(`${layout.bootstrapOf(name)}/secrets.yaml.tpl`, named(choice, read(secrets)))
  const manifests = `${layout.cluster(from)}/`
  for (const [path, text] of sources) {
    if (!path.startsWith(manifests) || path === layout.settings(from)) continue
    const to = `${layout.cluster(name)}/${path.slice(manifests.length)}`
    const below = `${layout.clusterApps(from)}/`
    const chosen = choice.apps.some((app) => path.startsWith(`${below}${app}/`))
    if (path === layout.appList(from)) files.set(to, appList(choice, text))
    else if (!path.startsWith(below) || chosen) files.set(to, named(choice, text))
  }
  files.set(layout.repositoryFile, repositoryFile(choice, read(layout.repositoryFile)))
  return files
}

const escaped = (text: string) => text.replaceAll('.', '\\.')

/** Where a file names its cluster for sure; the word alone may be the layer `apps`, or another cluster's name in a sentence. */
const named = ({ name, from }: NewCluster, text: string) =>
  text
    .replaceAll(`clusters/${from}/`, `clusters/${name}/`)
    .replaceAll(`talos/${from}/`, `talos/${name}/`)
    .replaceAll(`bootstrap/${from}/`, `bootstrap/${name}/`)
    .replaceAll(`\`${from}\``, `\`${name}\``)
    .replaceAll(`--context ${from} `, `--context ${name} `)
    .replaceAll(vaultOf(from), vaultOf(name))

const vaultOf = (cluster: string) => `k8s-${cluster}`

/** What was looked up on the old cluster's machines is nothing that anybody knows of the new ones. */
const unconfirmed = (line: string, what: string) => (line.includes('# CONFIRM:') ? line : `${line} # CONFIRM: ${what}`)

function talconfig(choice: NewCluster, text: string): string {
  const { name, from, moves, vlan } = choice
  const moved = moveAddresses(text, moves).replace(new RegExp(`\\b${from}\\b`, 'g'), name)
  const oldVlan = /vlanId: (\d+)/.exec(moved)?.[1]
  let address = ''
  let port = 0
  const seen = new Set<string>()
  const first = (key: string, line: string, what: string) => {
    if (seen.has(key)) return line
    seen.add(key)
    return unconfirmed(line, what)
  }
  const lines = moved.split('\n').map((line) => {
    const ip = /^\s*ipAddress: (\S+)/.exec(line)?.[1]
    if (ip) [address, port] = [ip, 0]
    const asked = `\`talosctl -n ${address || '<node>'} get`
    if (/([0-9a-f]{2}:){5}[0-9a-f]{2}/i.test(line)) {
      port += 1
      const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
      const placeholder = ['02', String(port).padStart(2, '0'), ...bytes].join(':')
      const other = line.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/i, placeholder)
      return unconfirmed(other, `permanent address of the port; ${asked} links --insecure\``)
    }
    if (/^\s*- ?vlanId:|^\s*vlanId:/.test(line))
      return first('vlan', line, `the switch sends VLAN ${vlan} tagged on these ports; \`show vlans\` there`)
    if (/^\s*ip: /.test(line)) return first('vip', line, 'unused and outside every DHCP range')
    if (/^\s*(size|match): /.test(line))
      return unconfirmed(line, `matches one disk on each machine; ${asked} disks --insecure\``)
    return line
  })
  return lines
    .join('\n')
    .replaceAll(`vlanId: ${oldVlan}`, `vlanId: ${vlan}`)
    .replaceAll(`VLAN ${oldVlan} `, `VLAN ${vlan} `)
}

/** What each of these was is true of the old cluster only. */
const ofTheCluster: Record<string, string> = {
  CILIUM_ASN: 'free private ASN',
  SRX_ADDRESS: "the router's address in that VLAN",
  LB_POOL_CIDR: 'routed nowhere yet',
  CLOUDFLARE_TUNNEL_ID: "this cluster's tunnel; `cloudflared tunnel list`",
  NAS_SHARE: 'exported to the nodes',
  CEPH_DEVICE_PATH_FILTER: "matches Ceph's disks and neither the install nor the OpenEBS disk",
}

function settings(choice: NewCluster, text: string): string {
  const { name, from, moves, vlan, domain, id, asn, follows, unused } = choice
  const oldDomain = /^ {2}CLUSTER_DOMAIN: (\S+)/m.exec(text)?.[1] ?? ''
  const oldVlan = /^ {2}VLAN_ID: "?(\d+)/m.exec(text)?.[1] ?? ''
  const given: Record<string, string> = {
    CLUSTER_NAME: name,
    CLUSTER_ID: JSON.stringify(id),
    CLUSTER_DOMAIN: domain,
    VLAN_ID: JSON.stringify(vlan),
    CILIUM_ASN: JSON.stringify(asn),
    GIT_REF: `refs/heads/${follows}`,
    ONEPASSWORD_VAULT: vaultOf(name),
    CLOUDFLARE_TUNNEL_ID: `00000000-0000-4000-8000-${id.padStart(12, '0')}`,
  }
  return moveAddresses(named(choice, text), moves)
    .split('\n')
    .flatMap((line) => {
      const [, key = '', value = '', comment = ''] = /^ {2}([A-Z][A-Z0-9_]*): (.*?)( +#.*)?$/.exec(line) ?? []
      if (key === '') return [line]
      if (unused.has(key)) return []
      const told = comment
        .replace(new RegExp(`\\b${escaped(oldDomain)}\\b`, 'g'), domain)
        .replace(new RegExp(`\\b${oldVlan}\\b`, 'g'), vlan)
      const now = given[key] ?? (key === 'NAS_SHARE' ? value.replace(from, name) : value)
      const what = ofTheCluster[key] ?? (/_IP$/.test(key) && comment ? 'inside LB_POOL_CIDR' : undefined)
      const whole = `  ${key}: ${now}${told}`
      return [what === undefined ? whole : unconfirmed(whole, what)]
    })
    .join('\n')
}

function appList(choice: NewCluster, text: string): string {
  const document = parseDocument(named(choice, text))
  document.set('resources', document.createNode(choice.apps.toSorted()))
  return document.toString({ lineWidth: 0 })
}

/** As text: a YAML library would write the whole file its own way. The entry keeps the comments of the one that it is made after. */
function repositoryFile({ name, from, follows, apps }: NewCluster, text: string): string {
  const entry = new RegExp(`^ {2}${from}:\n(?: {3,}.*\n|\n(?= {3,}))+`, 'm').exec(text)?.[0] ?? ''
  const own = entry
    .replace(`  ${from}:`, `  ${name}:`)
    .replace(/^( +context:) .*/m, `$1 ${name}`)
    .replace(/^( +follows:) .*/m, `$1 ${follows}`)
    .replaceAll(`cluster="${from}"`, `cluster="${name}"`)
    .replace(/(volsync: \{ ?sources:) \d+/, apps.length === 0 ? '$1 0' : '$&')
  return text
    .replace(entry, `${entry}${own}`)
    .replace(/^( +order: \[ ?[^\]\n]*?)( ?\])/m, `$1, ${name}$2`)
    .replace(/^( +order:\n(?: +- .*\n)+)/m, (list) => `${list}${/^ +- /m.exec(list)?.[0]}${name}\n`)
}
