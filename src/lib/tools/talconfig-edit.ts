/** Edits of talconfig.yaml that keep what people wrote around: comments, anchors, order. Pure; the text of the file goes in and out. */
import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument, visit, type YAMLMap, type YAMLSeq } from 'yaml'
import { ConfigError, UsageError } from '../errors.ts'

/**
 * @throws UsageError when the file has no such node
 */
export function withoutNode(text: string, hostname: string): string {
  const { document, nodes } = open(text)
  const index = indexOf(nodes, hostname)
  if (index < 0) throw new UsageError(`talconfig.yaml has no node ${hostname}`)
  const [removed] = nodes.items.splice(index, 1)
  rescueAnchors(document, removed as YAMLMap)
  return print(document)
}

export interface NewNode {
  hostname: string
  address: string
  /** Hostname of the node whose entry is copied; hardware addresses are marked to be confirmed. */
  like: string
}

/**
 * The entry of `like` once more, right behind the last one of its role.
 * @throws UsageError when `like` is not there, or the new name or address is
 */
export function withNode(text: string, { hostname, address, like }: NewNode): string {
  const { document, nodes } = open(text)
  if (indexOf(nodes, hostname) >= 0) throw new UsageError(`talconfig.yaml has a node ${hostname} already`)
  const taken = nodes.items.find((item) => isMap(item) && addressOf(item as YAMLMap) === address) as YAMLMap | undefined
  if (taken) throw new UsageError(`${address} is ${String(taken.get('hostname'))} already`)
  const source = nodes.items[indexOf(nodes, like)] as YAMLMap | undefined
  if (!source) throw new UsageError(`talconfig.yaml has no node ${like} to copy`)
  const copy = source.clone() as YAMLMap
  const old = addressOf(source)
  visit(copy, {
    // An anchor can stand in one place only; the copy refers to it.
    Pair: (_, pair) => {
      const { value } = pair
      if (!isAlias(value) && isNodeWithAnchor(value)) pair.value = document.createAlias(value as never, value.anchor)
    },
    Scalar: (_, scalar) => {
      // What a comment asks to confirm was confirmed for the other machine.
      if (typeof scalar.value === 'string' && hardwareAddress.test(scalar.value))
        scalar.comment = confirmHardware(address)
      if (typeof scalar.value === 'string') scalar.value = replaceAddress(scalar.value, old, address)
    },
  })
  copy.set('hostname', hostname)
  const role = source.get('controlPlane') === true
  const last = nodes.items.findLastIndex((item) => isMap(item) && (item.get('controlPlane') === true) === role)
  nodes.items.splice(last + 1, 0, copy)
  return print(document)
}

const hardwareAddress = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i
const confirmHardware = (address: string) =>
  ` CONFIRM: permanent address of the port; \`talosctl -n ${address} get links --insecure\``

/** `10.25.13.14/24` -> `10.25.13.17/24`, and nothing that only begins alike. */
const replaceAddress = (text: string, from: string, to: string) =>
  text.replace(new RegExp(`(?<![\\d.])${from.replaceAll('.', '\\.')}(?![\\d.])`, 'g'), to)

const isNodeWithAnchor = (value: unknown): value is { anchor: string } =>
  typeof value === 'object' && value !== null && typeof (value as { anchor?: string }).anchor === 'string'

function open(text: string): { document: Document; nodes: YAMLSeq } {
  const document = parseDocument(text)
  const nodes = document.get('nodes')
  if (document.errors[0]) throw new ConfigError(`talconfig.yaml: ${document.errors[0].message}`)
  if (!isSeq(nodes)) throw new ConfigError('talconfig.yaml has no list of nodes')
  return { document, nodes }
}

const indexOf = (nodes: YAMLSeq, hostname: string) =>
  nodes.items.findIndex((item) => isMap(item) && item.get('hostname') === hostname)

/** The first of a comma list, as it is dialled. */
const addressOf = (node: YAMLMap) =>
  String(node.get('ipAddress') ?? '')
    .split(',')[0]
    ?.trim() ?? ''

/** An anchor that went with the node is written where it is used first, so that the rest keeps its meaning. */
function rescueAnchors(document: Document, removed: YAMLMap): void {
  const anchored = new Map<string, unknown>()
  visit(removed, {
    Node: (_, node) => {
      if (isNodeWithAnchor(node) && !isAlias(node)) anchored.set(node.anchor, node)
    },
  })
  visit(document, {
    Alias: (_, alias) => {
      const node = anchored.get(alias.source)
      if (node === undefined) return undefined
      anchored.delete(alias.source)
      return node as never
    },
  })
}

/** As our files are written: two spaces, lists under their key, long lines left alone. */
const print = (document: Document) => document.toString({ lineWidth: 0, flowCollectionPadding: false })

/** Whether the file names the node; false as well when it can't be read. */
export function namesNode(text: string, hostname: string): boolean {
  const nodes = parseDocument(text).get('nodes')
  return (
    isSeq(nodes) &&
    nodes.items.some((item) => isMap(item) && isScalar(item.get('hostname', true)) && item.get('hostname') === hostname)
  )
}
