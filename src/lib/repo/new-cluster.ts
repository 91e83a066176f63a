/** The files of a new cluster, made from those of one that there is. Pure: files go in and out. */
import { layout } from './layout.ts'
import type { Move } from './move-addresses.ts'
import { newSettings } from './new-settings.ts'
import { newTalconfig } from './new-talconfig.ts'
import { parseDocument } from './yaml.ts'

export interface NewCluster {
  name: string
  /** The cluster whose files are taken. */
  from: string
  /** Its machines. */
  source: readonly { hostname: string; address: string; controlPlane: boolean }[]
  /** Of its addresses and networks: where each was, and where it goes. */
  moves: Move[]
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
  /** Undefined: as many as the other one has, at the same places of the network. */
  machines?: NewMachine[] | undefined
  disks?: NewDisks | undefined
}

export interface NewMachine {
  hostname: string
  /** IPv4. */
  address: string
  controlPlane: boolean
  /** Permanent addresses, in the order in which talconfig.yaml names ports. */
  ports?: string[] | undefined
}

export interface NewDisks {
  /** Talos' installDiskSelector. */
  install?: Record<string, string | undefined> | undefined
  /** CEL, of the volume for node-local storage. */
  local?: string | undefined
  /** Regular expression of paths. */
  ceph?: string | undefined
}

/** @param sources the files of `from` and k8sops.yaml, by path */
export function newClusterFiles(choice: NewCluster, sources: ReadonlyMap<string, string>): Map<string, string> {
  const { name, from } = choice
  const read = (path: string) => sources.get(path) ?? ''
  const files = new Map<string, string>()
  files.set(layout.talconfig(name), newTalconfig(choice, read(layout.talconfig(from))))
  files.set(layout.settings(name), newSettings(choice, read(layout.settings(from))))
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
  const volumes = choice.apps.filter((app) =>
    /\/components\/volsync$/m.test(read(`${layout.clusterApps(from)}/${app}/ks.yaml`)),
  )
  files.set(layout.repositoryFile, withEntry(choice, read(layout.repositoryFile), volumes.length))
  return files
}

/** Where a file names its cluster for sure; the word alone may be the layer `apps`, or another cluster's name in a sentence. */
export const named = ({ name, from }: Pick<NewCluster, 'name' | 'from'>, text: string) =>
  text
    .replaceAll(`clusters/${from}/`, `clusters/${name}/`)
    .replaceAll(`talos/${from}/`, `talos/${name}/`)
    .replaceAll(`bootstrap/${from}/`, `bootstrap/${name}/`)
    .replaceAll(`\`${from}\``, `\`${name}\``)
    .replaceAll(`--context ${from} `, `--context ${name} `)
    .replaceAll(vaultOf(from), vaultOf(name))

export const vaultOf = (cluster: string) => `k8s-${cluster}`

function appList(choice: NewCluster, text: string): string {
  const document = parseDocument(named(choice, text))
  document.set('resources', document.createNode(choice.apps.toSorted()))
  return document.toString({ lineWidth: 0 })
}

const entryOf = (text: string, cluster: string) =>
  new RegExp(`^ {2}${cluster}:\n(?: {3,}.*\n|\n(?= {3,}))+`, 'm').exec(text)?.[0] ?? ''

const entries = /^clusters:\n(?: {2,}.*\n|\n(?= {2}))+/m

/** @param volumes how many of them VolSync copies */
const ownEntry = ({ name, from, follows }: NewCluster, text: string, volumes: number) =>
  entryOf(text, from)
    .replace(`  ${from}:`, `  ${name}:`)
    .replace(/^( +context:) .*/m, `$1 ${name}`)
    .replace(/^( +follows:) .*/m, `$1 ${follows}`)
    .replaceAll(`cluster="${from}"`, `cluster="${name}"`)
    .replace(/(volsync: \{ ?sources:) \d+/, `$1 ${volumes}`)

/**
 * As text: the library of YAML would write the rest of k8sops.yaml its own way (`[infra, apps]` beside `{ clusters: 1 }`). The entry
 * keeps the comments of the one that it is made after; it stands last, as in the order of the rollout.
 */
function withEntry(choice: NewCluster, text: string, volumes: number): string {
  const { name } = choice
  return text
    .replace(entries, (all) => `${all}${ownEntry(choice, text, volumes)}`)
    .replace(/^( +order: \[ ?[^\]\n]*?)( ?\])/m, `$1, ${name}$2`)
    .replace(/^( +order:\n(?: +- .*\n)+)/m, (list) => `${list}${/^ +- /m.exec(list)?.[0]}${name}\n`)
}

/** As `withEntry`, and no other cluster is left. */
export function withSoleEntry(choice: NewCluster, text: string): string {
  return text
    .replace(/^defaultCluster: .*/m, `defaultCluster: ${choice.name}`)
    .replace(/^( +order: )\[.*\]/m, `$1[${choice.name}]`)
    .replace(entries, `clusters:\n${ownEntry(choice, text, 0)}`)
}

/** The other way round: what `withEntry` added goes, and nothing else. */
export function withoutEntry(text: string, cluster: string): string {
  return text
    .replace(entryOf(text, cluster), '')
    .replace(/^ +order: \[.*\]/m, (list) => list.replace(new RegExp(`, ${cluster}(?=[ ,\\]])|\\b${cluster}, `), ''))
    .replace(/^ +order:\n(?: +- .*\n)+/m, (list) => list.replace(new RegExp(`^ +- ${cluster}\n`, 'm'), ''))
}
