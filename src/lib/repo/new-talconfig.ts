/** talconfig.yaml of a new cluster, made from another one's: an edit of the document, so that what people wrote around stays. Pure. */
import type { Document, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { type NewNode, withNode, withoutNode } from '../tools/talconfig-edit.ts'
import { type Move, moveAddresses } from './move-addresses.ts'
import type { NewCluster } from './new-cluster.ts'
import { isMap, isScalar, parseDocument, visit } from './yaml.ts'

/** @param text of the other cluster's file */
export function newTalconfig(choice: NewCluster, text: string): string {
  const { name, from, moves, vlan } = choice
  const pairs = pairsOf(choice)
  const fewer = pairs.left.reduce(withoutNode, text)
  const whole = pairs.further.reduce(withNode, fewer)
  const oldVlan = /vlanId: (\d+)/.exec(whole)?.[1] ?? ''
  const moved = moveAddresses(whole, [...pairs.moves, ...moves])
    .replace(new RegExp(`\\b${from}\\b`, 'g'), name)
    .replace(new RegExp(`\\bVLAN ${oldVlan}\\b`, 'g'), `VLAN ${vlan}`)
  const document = parseDocument(moved)
  for (const node of nodesOf(document)) {
    const hostname = String(node.get('hostname'))
    node.set('hostname', pairs.names.get(hostname) ?? hostname)
  }
  setFacts(choice, document)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** Which machine takes whose entry: of each role the first the first one's, and so on; who finds none takes a copy of the last one's. */
function pairsOf({ name, from, source, machines }: NewCluster) {
  const pairs = {
    left: [] as string[],
    moves: [] as Move[],
    names: new Map<string, string>(),
    further: [] as NewNode[],
  }
  if (!machines) return pairs
  const host = (address: string) => ({ text: `${address}/32`, address, family: 'ipv4' as const, prefix: 32 })
  for (const role of [true, false]) {
    const old = source.filter(({ controlPlane }) => controlPlane === role)
    const ours = machines.filter(({ controlPlane }) => controlPlane === role)
    pairs.left.push(...old.slice(ours.length).map(({ hostname }) => hostname))
    for (const [index, machine] of ours.entries()) {
      // TEST-NET-1 (RFC 5737): an address that nobody has until it is moved like the others.
      const copy = { hostname: `further-${pairs.further.length}`, address: `192.0.2.${pairs.further.length}` }
      const model = old[index] ?? copy
      if (model === copy) pairs.further.push({ ...copy, like: old.at(-1)?.hostname ?? '' })
      pairs.moves.push([host(model.address), host(machine.address)])
      pairs.names.set(model.hostname.replace(new RegExp(`\\b${from}\\b`, 'g'), name), machine.hostname)
    }
  }
  return pairs
}

function setFacts({ vlan, machines, disks }: NewCluster, document: Document): void {
  const marks = new Set<string>()
  const once = (key: string, value: Scalar, what: string) => {
    if (!marks.has(key)) toConfirm(value, what)
    marks.add(key)
  }
  each(document, 'vlanId', (value) => {
    value.value = Number(vlan)
    once('vlan', value, `the switch sends VLAN ${vlan} tagged on these ports; \`show vlans\` there`)
  })
  for (const node of nodesOf(document)) {
    const address = String(node.get('ipAddress'))
    const ports = machines?.find((machine) => machine.address === address)?.ports
    for (const [index, port] of portsOf(node).entries()) {
      port.value = ports?.[index] ?? placeholder(address, index)
      if (ports) port.comment = null
      else toConfirm(port, `permanent address of the port; \`talosctl -n ${address} get links --insecure\``)
    }
    each(node, 'ip', (value) => once('vip', value, 'unused and outside every DHCP range'))
  }
  const first = String(nodesOf(document)[0]?.get('ipAddress') ?? '<node>')
  const disk = `matches one disk on each machine; \`talosctl -n ${first} get disks --insecure\``
  visit(document, {
    Pair: (_, pair) => {
      const { value } = pair as Pair<Scalar, YAMLMap>
      if (nameOf(pair) !== 'installDiskSelector' || !isMap(value)) return
      if (disks?.install) value.items = (document.createNode(disks.install) as YAMLMap).items
      else each(value, 'size', (size) => toConfirm(size, disk))
    },
  })
  each(document, 'match', (value) => {
    if (disks?.local) [value.value, value.comment] = [disks.local, null]
    else toConfirm(value, disk)
  })
}

/** An address that no port can have (locally administered), and no other machine of this network has in its file. */
const placeholder = (address: string, port: number) => {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
  return ['02', String(port + 1).padStart(2, '0'), ...bytes].join(':')
}

/** What was looked up on the old cluster's machines is nothing that anybody knows of the new ones. */
export function toConfirm(value: Scalar, what: string): void {
  if (value.comment?.includes('CONFIRM:')) return
  value.comment = `${value.comment ? `${value.comment} #` : ''} CONFIRM: ${what}`
}

const hardwareAddress = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i

/** How many ports each node names by their hardware address, in order of the nodes. */
export const portCounts = (text: string): number[] => nodesOf(parseDocument(text)).map((node) => portsOf(node).length)

function portsOf(node: YAMLMap): Scalar[] {
  const found: Scalar[] = []
  visit(node, {
    Scalar: (_, scalar) => {
      if (hardwareAddress.test(String(scalar.value))) found.push(scalar)
    },
  })
  return found
}

const nodesOf = (document: Document) => ((document.get('nodes') as YAMLSeq | undefined)?.items ?? []) as YAMLMap[]
const nameOf = ({ key }: Pair) => (isScalar(key) ? String(key.value) : '')

function each(below: Document | YAMLMap, key: string, edit: (value: Scalar) => void): void {
  visit(below, {
    Pair: (_, pair) => {
      if (nameOf(pair) === key && isScalar(pair.value)) edit(pair.value)
    },
  })
}
