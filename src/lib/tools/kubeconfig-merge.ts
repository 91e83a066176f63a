/**
 * Puts one cluster's admin kubeconfig into the operator's own file, under the context's name. Everything else in that
 * file stays as it is: other contexts, comments, and the current context, which only the operator switches.
 */
import { chmod, mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Document, isMap, isSeq, parse, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml'
import { ConfigError, UsageError } from '../errors.ts'

interface Named {
  name: string
  cluster?: unknown
  user?: unknown
  context?: { cluster: string; user: string }
}

/**
 * @param existing text of the operator's file; empty when there is none
 * @param incoming a kubeconfig with exactly one cluster and user, as `talosctl kubeconfig -` prints it
 * @throws ConfigError when either can't be understood
 */
export function mergeKubeconfig(existing: string, incoming: string, context: string): string {
  const { cluster, user } = soleEntries(incoming)
  const document = parseDocument(existing.trim() === '' ? 'apiVersion: v1\nkind: Config\n' : existing)
  if (document.errors[0] || !isMap(document.contents)) {
    throw new ConfigError(`the kubeconfig can't be understood: ${document.errors[0]?.message ?? 'it is no map'}`)
  }
  const names = namesFor(document, context)
  put(document, 'clusters', { name: names.cluster, cluster })
  put(document, 'users', { name: names.user, user })
  put(document, 'contexts', { name: context, context: { cluster: names.cluster, user: names.user } })
  if (!document.get('current-context')) document.set('current-context', context)
  return document.toString({ lineWidth: 0 })
}

function soleEntries(text: string): { cluster: unknown; user: unknown } {
  const config = parse(text) as { clusters?: Named[]; users?: Named[] } | null
  const [cluster, ...clusters] = config?.clusters ?? []
  const [user, ...users] = config?.users ?? []
  if (!cluster?.cluster || !user?.user || clusters.length > 0 || users.length > 0) {
    throw new ConfigError('expected a kubeconfig with one cluster and one user on standard input')
  }
  return { cluster: cluster.cluster, user: user.user }
}

/** Our context's own entries, unless another context uses them too: then new ones, so that it keeps its cluster. */
function namesFor(document: Document, context: string): { cluster: string; user: string } {
  const contexts = (listAt(document, 'contexts')?.toJSON() ?? []) as Named[]
  const own = contexts.find(({ name }) => name === context)?.context
  const others = contexts.filter(({ name }) => name !== context).flatMap((entry) => entry.context ?? [])
  const choose = (kind: 'cluster' | 'user', current: string | undefined, name: string) => {
    const taken = new Set(others.map((entry) => entry[kind]))
    return [current, name, `k8sops-${name}`].find((candidate) => candidate && !taken.has(candidate)) ?? `k8sops-${name}`
  }
  return { cluster: choose('cluster', own?.cluster, context), user: choose('user', own?.user, `admin@${context}`) }
}

function listAt(document: Document, key: string): YAMLSeq | undefined {
  const found = document.get(key)
  return isSeq(found) ? found : undefined
}

function put(document: Document, key: string, entry: Named): void {
  const node = document.createNode(entry) as YAMLMap
  const list = listAt(document, key)
  if (!list) {
    document.set(key, document.createNode([entry]))
    return
  }
  // An empty list is often written as `[]`; entries read better one below the other.
  list.flow = false
  const index = list.items.findIndex((item) => isMap(item) && item.get('name') === entry.name)
  if (index < 0) list.add(node)
  else list.items[index] = node
}

/** kubectl's own lock file: whoever holds it rewrites the kubeconfig just now. */
const lockTries = 50
const lockPauseMs = 100

/**
 * Rewrites `file` with the merged text: through a temporary file in the same directory, so that a reader sees the old
 * or the new one, with mode 0600. A symbolic link stays one.
 * @throws UsageError when another program holds kubectl's lock for five seconds
 */
export async function writeMergedKubeconfig(file: string, incoming: string, context: string): Promise<void> {
  const real = await realpath(file).catch(() => file)
  await mkdir(dirname(real), { recursive: true, mode: 0o700 })
  const lock = `${real}.lock`
  await takeLock(lock)
  const temporary = `${real}.${process.pid}.tmp`
  try {
    const existing = await readFile(real, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    const handle = await open(temporary, 'w', 0o600)
    try {
      await handle.writeFile(mergeKubeconfig(existing, incoming, context))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(temporary, 0o600)
    await rename(temporary, real)
  } finally {
    await rm(temporary, { force: true })
    await rm(lock, { force: true })
  }
}

async function takeLock(lock: string): Promise<void> {
  for (let attempt = 0; attempt < lockTries; attempt++) {
    const handle = await open(lock, 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return undefined
      throw error
    })
    if (handle) return handle.close()
    await delay(lockPauseMs)
  }
  throw new UsageError(`${lock} is held by another program`, {
    next: `if no kubectl config command is running, remove it: rm ${lock}`,
  })
}
