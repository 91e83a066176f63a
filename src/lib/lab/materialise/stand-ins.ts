/**
 * Stand-ins for the repository's encrypted files: same objects, same keys, made-up values. The lab has no key for the
 * real ones and must not have it.
 */
import { createHmac } from 'node:crypto'
import { isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments, stringify } from 'yaml'

/**
 * @param text a file that sops wrote (YAML, any number of documents), or a plain one
 * @param seed of this lab; the same seed gives the same values
 * @returns plain YAML, ready to be encrypted to the lab's own key
 */
export function standIn(text: string, seed: string, file: string): string {
  const documents = parseAllDocuments(text).map((document) => document.contents)
  return documents
    .filter((contents) => contents !== null)
    .map((contents, index) => stringify(replaced(contents as Node, [file, String(index)], seed)))
    .join('---\n')
}

/** Comments don't survive: sops encrypts them as well, and they say nothing to a controller. */
function replaced(node: Node, path: string[], seed: string): unknown {
  if (isMap(node)) {
    const pairs = node.items as Pair<Node, Node>[]
    const top = path.length === 2
    return Object.fromEntries(
      pairs
        .map(({ key, value }) => [String(isScalar(key) ? key.value : key), value] as const)
        .filter(([key]) => !(top && key === 'sops'))
        .map(([key, value]) => [key, value ? replaced(value, [...path, key], seed) : null]),
    )
  }
  if (isSeq(node)) return (node.items as Node[]).map((item, index) => replaced(item, [...path, String(index)], seed))
  if (!isScalar(node)) return null
  const { value } = node
  if (typeof value !== 'string') return value
  const type = /^ENC\[[^\]]*,type:(\w+)\]$/.exec(value)?.[1]
  return type === undefined ? value : madeUp(path, type, seed)
}

function madeUp(path: string[], type: string, seed: string): unknown {
  const digest = createHmac('sha256', seed).update(path.join('\0'))
  if (type === 'int') return digest.digest().readUInt16BE()
  if (type === 'float') return digest.digest().readUInt16BE() / 100
  if (type === 'bool') return true
  const key = path.at(-1) ?? ''
  // The API server parses this one; every other value is opaque to it.
  const plain = key === '.dockerconfigjson' ? '{"auths":{}}' : digest.digest('base64url').slice(0, 32)
  return path.at(-2) === 'data' ? Buffer.from(plain).toString('base64') : plain
}
