/** What in a change can't be undone by reverting it, or opens what was closed. Each is data: when it holds, and what it means. */
import { bytesOf, dig, leaves, textAt } from '../fields.ts'
import { nameOf } from '../flux.ts'
import { openPeers } from '../rules/policies.ts'
import { identity } from '../rules/rule.ts'
import { isNeverPruned } from '../rules/storage.ts'
import type { ClusterView, RenderedObject, RepositoryView } from '../rules/view.ts'
import type { Change, ClusterDifference } from './objects.ts'

export interface Danger {
  id:
    | 'removed-data'
    | 'removed-crd'
    | 'removed-namespace'
    | 'shrunk'
    | 'immutable'
    | 'pruned'
    | 'suspended'
    | 'opened'
    | 'recipient'
  cluster: string
  /** `Kind ns/name`. */
  object: string
  detail: string
  /** Flux would delete it: the live state may say that it does not exist, or is never pruned. */
  deletes?: RenderedObject
}

/** Fields that the API server refuses to change: the object has to be deleted and made again. */
const immutable: Record<string, string[]> = {
  StatefulSet: ['spec.volumeClaimTemplates', 'spec.serviceName', 'spec.selector', 'spec.podManagementPolicy'],
  Deployment: ['spec.selector'],
  DaemonSet: ['spec.selector'],
  Job: ['spec.template', 'spec.selector', 'spec.completions'],
  PersistentVolumeClaim: ['spec.storageClassName', 'spec.accessModes', 'spec.volumeName', 'spec.volumeMode'],
  StorageClass: ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'],
  Service: ['spec.clusterIP'],
  RoleBinding: ['roleRef'],
  ClusterRoleBinding: ['roleRef'],
  PriorityClass: ['value'],
  CustomResourceDefinition: ['spec.scope', 'spec.group', 'spec.names.kind'],
}

const holdsData: Record<string, string> = {
  PersistentVolumeClaim: 'and the data with it, as its storage class says',
  Cluster: 'a database and its volumes',
  CephCluster: 'the storage of everything',
  CephBlockPool: 'every volume in it',
  CephFilesystem: 'every file in it',
  ObjectStore: 'where backups are found',
}

export function dangersOf({ cluster, owners }: ClusterDifference, after: ClusterView): Danger[] {
  return [
    ...owners.flatMap(({ changes }) =>
      changes.flatMap((change) => ofChange(change).map((danger) => ({ ...danger, cluster }))),
    ),
    ...suspendedParents(
      owners.flatMap(({ changes }) => changes),
      after,
    ).map((danger) => ({ ...danger, cluster })),
  ]
}

type Found = Omit<Danger, 'cluster'>

function ofChange(change: Change): Found[] {
  if (change.kind === 'removed') return ofRemoval(change.before)
  if (change.kind === 'added') return openings(undefined, change.after)
  const { before, after, fields } = change
  const object = identity(after)
  const touched = (path: string) =>
    fields.some(
      ({ path: found }) => `${found.join('.')}.`.startsWith(`${path}.`) || `${path}.`.startsWith(`${found.join('.')}.`),
    )
  const size = (one: RenderedObject) => bytesOf(textAt(one.object(), 'spec.resources.requests.storage')) ?? 0
  const stopped = dig(after.object(), 'spec.suspend') === true && dig(before.object(), 'spec.suspend') !== true
  return [
    ...(immutable[after.kind] ?? [])
      .filter(touched)
      .map(
        (path): Found => ({ id: 'immutable', object, detail: `${path} cannot be changed: the API server refuses it` }),
      ),
    ...(after.kind === 'PersistentVolumeClaim' && size(after) < size(before)
      ? [{ id: 'shrunk' as const, object, detail: 'a volume cannot become smaller' }]
      : []),
    ...(isNeverPruned(before) && !isNeverPruned(after)
      ? [{ id: 'pruned' as const, object, detail: 'loses its protection from pruning: the next removal deletes it' }]
      : []),
    ...(stopped
      ? [{ id: 'suspended' as const, object, detail: 'is suspended by this change: nothing below it arrives any more' }]
      : []),
    ...openings(before, after),
  ]
}

function ofRemoval(one: RenderedObject): Found[] {
  const object = identity(one)
  if (isNeverPruned(one)) return []
  const deletes = one
  if (one.kind === 'Namespace')
    return [{ id: 'removed-namespace', object, detail: 'everything in it is deleted', deletes }]
  if (one.kind === 'CustomResourceDefinition')
    return [{ id: 'removed-crd', object, detail: 'every object of its kind is deleted', deletes }]
  const data = holdsData[one.kind]
  if (data) return [{ id: 'removed-data', object, detail: data, deletes }]
  if (/NetworkPolicy$/.test(one.kind)) return [{ id: 'opened', object, detail: 'the policy is removed', deletes }]
  return []
}

/** A policy that allows more than before, or a namespace that is exempted from the default deny. */
function openings(before: RenderedObject | undefined, after: RenderedObject): Found[] {
  const object = identity(after)
  if (after.kind === 'Namespace') {
    const exempting = (one?: RenderedObject) =>
      Object.entries(one?.object().metadata.labels ?? {}).filter(
        ([key, value]) => /netpol|policy/.test(key) && /bypass|disabled|exempt|false/.test(`${key}=${value}`),
      )
    const added = exempting(after).filter(([key]) => !exempting(before).some(([old]) => old === key))
    return added.map(([key, value]) => ({
      id: 'opened',
      object,
      detail: `label ${key}=${value} exempts it from the default deny`,
    }))
  }
  if (!/NetworkPolicy$/.test(after.kind)) return []
  const said = (one?: RenderedObject) => (one ? openPeers(one) : []).map(({ message }) => message)
  const earlier = said(before)
  const wide = said(after).filter((message) => !earlier.includes(message))
  const peers = (one?: RenderedObject) =>
    new Set(
      leaves(dig(one?.object(), 'spec'))
        .filter(({ path }) =>
          /^(from|to)[A-Z]|^(from|to)$/.test(String(path.find((key) => /^(from|to)/.test(String(key))))),
        )
        .map(({ path, value }) => `${path.filter((key) => typeof key === 'string').join('.')}=${value}`),
    )
  const known = peers(before)
  const more = before ? [...peers(after)].filter((peer) => !known.has(peer)) : []
  return [
    ...wide.map((message): Found => ({ id: 'opened', object, detail: message.replace(`${object}: `, '') })),
    ...(wide.length === 0 && more.length > 0
      ? [{ id: 'opened' as const, object, detail: `allows more: ${more.slice(0, 3).join(', ')}` }]
      : []),
  ]
}

/** A change below a suspended Kustomization, or to a suspended release, does not arrive. */
function suspendedParents(changes: Change[], after: ClusterView): Found[] {
  const byName = new Map(after.rendered.map(({ kustomization }) => [nameOf(kustomization), kustomization]))
  const stopped = new Map<string, number>()
  for (const change of changes) {
    const one = change.kind === 'removed' ? change.before : change.after
    const seen = new Set<string>()
    for (
      let at = byName.get(nameOf(one.kustomization));
      at && !seen.has(nameOf(at));
      at = byName.get(at.parent ?? '')
    ) {
      seen.add(nameOf(at))
      if (at.suspended) stopped.set(nameOf(at), (stopped.get(nameOf(at)) ?? 0) + 1)
    }
  }
  return [...stopped].map(([name, count]) => ({
    id: 'suspended',
    object: `Kustomization ${name}`,
    detail: `is suspended, so what changes below it does not arrive: ${count}`,
  }))
}

type Files = Pick<RepositoryView, 'files'>

/** Whoever can decrypt changes: in .sops.yaml, or in what a file is encrypted to. */
export function recipientDangers(before: Files, after: Files): Danger[] {
  const recipients = ({ files }: Files) =>
    new Map(
      files
        .filter(({ path }) => path.endsWith('.sops.yaml'))
        .map(({ path, text }) => [path, [...new Set(text.match(/age1[0-9a-z]{20,}/g) ?? [])].sort().join(', ')]),
    )
  const old = recipients(before)
  return [...recipients(after)]
    .filter(([path, keys]) => old.has(path) && old.get(path) !== keys)
    .map(([path, keys]) => ({
      id: 'recipient',
      cluster: 'all',
      object: path,
      detail: `is for ${keys || 'nobody'} now, was for ${old.get(path) || 'nobody'}`,
    }))
}
