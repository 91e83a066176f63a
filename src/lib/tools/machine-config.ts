/**
 * Two machine configs compared by what they say, not by how they are written. Values that are secret, or that may hold a
 * secret, are never part of the result.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { parseAllDocuments } from 'yaml'
import type { Result } from '../types.ts'

export interface ConfigChange {
  /** Dotted path; of another document than the first behind its kind and name, `BondConfig/bond0 mtu`. */
  path: string
  /** As shown to a person; undefined where there is nothing. */
  from: string | undefined
  to: string | undefined
  /** Part of the cluster's identity: a difference here means other secrets, not another setting. */
  identity: boolean
}

/**
 * What holds a cluster together (talos v1.12 v1alpha1_types.go): machine and cluster CA, tokens, the key that encrypts
 * Secrets in etcd. Two configs of one cluster agree in all of them.
 */
const identity = [
  'machine.token',
  'machine.ca',
  'cluster.id',
  'cluster.secret',
  'cluster.token',
  'cluster.ca',
  'cluster.aggregatorCA',
  'cluster.serviceAccount',
  'cluster.etcd.ca',
  'cluster.secretboxEncryptionSecret',
  'cluster.aescbcEncryptionSecret',
]

/** Keys whose values are secret wherever they stand. */
const secretKey = /key$|token$|secret$|password$|passphrase$|psk$|^auth$|credentials?$|cert(ificate)?$|^crt$/i
/** What people put secrets into. */
const opaqueKey = /^(content|contents|environment|environmentFiles?)$/i
const longestShown = 100

type Fields = { [key: string]: unknown }

/** @param running what the machine has; `generated` what it would get; both as YAML of one or more documents */
export function configChanges(running: string, generated: string): Result<ConfigChange[]> {
  try {
    const [before, after] = [documentsOf(running), documentsOf(generated)]
    const names = [...new Set([...before.keys(), ...after.keys()])]
    return {
      ok: true,
      value: names.flatMap((name) => compare(name, [], before.get(name), after.get(name))),
    }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `machine config: ${(error as Error).message}` }
  }
}

/** Documents by kind and name; the first one, which has no kind, by ''. */
function documentsOf(source: string): Map<string, unknown> {
  const documents = parseAllDocuments(source)
  const broken = documents.flatMap(({ errors }) => errors)[0]
  // Its message quotes the line, which may be a secret.
  if (broken) throw new Error(`no YAML at line ${broken.linePos?.[0].line ?? '?'}`)
  const values = documents.map((document) => document.toJS() as Fields | null).filter((value) => value !== null)
  return new Map(
    values.map((value) => {
      const kind = value.kind === undefined ? '' : [value.kind, value.name].filter(Boolean).join('/')
      return [kind, value]
    }),
  )
}

function compare(document: string, keys: (string | number)[], from: unknown, to: unknown): ConfigChange[] {
  if (isDeepStrictEqual(from, to)) return []
  if (isMap(from) && isMap(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])]
    return names.flatMap((name) => compare(document, [...keys, name], from[name], to[name]))
  }
  if (Array.isArray(from) && Array.isArray(to) && [...from, ...to].some((item) => typeof item === 'object')) {
    const length = Math.max(from.length, to.length)
    return Array.from({ length }, (_, index) => index).flatMap((index) =>
      compare(document, [...keys, index], from[index], to[index]),
    )
  }
  return [change(document, keys, from, to)]
}

function change(document: string, keys: (string | number)[], from: unknown, to: unknown): ConfigChange {
  const dotted = keys.join('.')
  return {
    path: [document, dotted].filter(Boolean).join(' '),
    from: shown(keys, from),
    to: shown(keys, to),
    identity: document === '' && identity.some((path) => dotted === path || dotted.startsWith(`${path}.`)),
  }
}

/** A value as one line; of what may hold a secret only that it is there, of long ones a digest. */
function shown(keys: (string | number)[], value: unknown): string | undefined {
  if (value === undefined) return undefined
  const names = keys.filter((key): key is string => typeof key === 'string')
  if (names.some((name) => secretKey.test(name))) return '(secret)'
  if (names.some((name) => opaqueKey.test(name))) return `(not shown, ${sizeOf(value)})`
  const text = JSON.stringify(withoutSecrets(value)).replace(/:\/\/[^/@\s"]+@/g, '://(secret)@')
  return text.length <= longestShown && !text.includes('\\n') ? text : `(${sizeOf(value)}, sha256 ${digestOf(text)})`
}

/** A whole map that came or went is shown without the secrets in it. */
function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      secretKey.test(key) || opaqueKey.test(key) ? '(secret)' : withoutSecrets(inner),
    ]),
  )
}

const sizeOf = (value: unknown) => `${(typeof value === 'string' ? value : JSON.stringify(value)).length} characters`
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)
const isMap = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
