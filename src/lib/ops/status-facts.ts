/** What a cluster's status shows beside the verdicts: read from the very objects that the gates look at. Judges nothing. */
import type { Json, KubeObject, ObjectRef, Result } from '../types.ts'
import { holdOf } from './hold.ts'
import { nodeView } from './node-view.ts'

/** Kinds with few objects; pods are none of them. */
export const factKinds = {
  nodes: { apiVersion: 'v1', kind: 'Node' },
  kustomizations: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' },
  helmReleases: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' },
  fluxInstances: { apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance' },
  cephClusters: { apiVersion: 'ceph.rook.io/v1', kind: 'CephCluster' },
  certificates: { apiVersion: 'cert-manager.io/v1', kind: 'Certificate' },
} as const satisfies Record<string, ObjectRef>

export type FactKind = keyof typeof factKinds
export const factNames = Object.keys(factKinds) as FactKind[]

/** What could be read so far. */
export type Facts = Partial<Record<FactKind, Result<KubeObject[]>>>

/** A line for people, and the same for programs. */
export interface Fact {
  text: string
  fields: { [key: string]: Json }
}

type Tell = (facts: Facts, now: number) => Fact | undefined

/** By row of the status. Undefined where nothing could be read or there is nothing to tell. */
export const factOf: Record<string, Tell> = {
  nodes(facts) {
    const nodes = read(facts, 'nodes')?.map(nodeView)
    if (!nodes) return undefined
    const ready = nodes.filter((node) => node.ready).length
    return { text: `${ready} of ${nodes.length} Ready`, fields: { ready, nodes: nodes.length } }
  },
  versions(facts) {
    const nodes = read(facts, 'nodes')
    if (!nodes) return undefined
    const info = nodes.map(({ status }) => (status?.nodeInfo ?? {}) as { osImage?: string; kubeletVersion?: string })
    const talos = distinct(info.map(({ osImage = '' }) => /\((v[^)]+)\)/.exec(osImage)?.[1] ?? osImage))
    const kubernetes = distinct(info.map(({ kubeletVersion = '' }) => kubeletVersion))
    const flux = distinct(
      (read(facts, 'fluxInstances') ?? []).map(
        ({ status }) => String(status?.lastAppliedRevision ?? '').split('@')[0] ?? '',
      ),
    )
    const named = [
      ['Talos', talos],
      ['Kubernetes', kubernetes],
      ['Flux', flux],
    ] as const
    const text = named.flatMap(([name, list]) => (list.length > 0 ? [`${name} ${list.join(' and ')}`] : [])).join(', ')
    return { text, fields: { talos, kubernetes, flux } }
  },
  ceph(facts) {
    const [cluster] = read(facts, 'cephClusters') ?? []
    const ceph = cluster?.status?.ceph as CephStatus | undefined
    if (!ceph) return undefined
    const { bytesUsed = 0, bytesTotal = 0 } = ceph.capacity ?? {}
    const used = bytesTotal > 0 ? `, ${Math.round((bytesUsed / bytesTotal) * 100)} % of ${bytesText(bytesTotal)}` : ''
    return {
      text: `${ceph.health ?? 'unknown'}${used}`,
      fields: { health: ceph.health ?? null, bytesUsed, bytesTotal },
    }
  },
  flux(facts) {
    const [kustomizations, helmReleases] = [read(facts, 'kustomizations'), read(facts, 'helmReleases')]
    if (!kustomizations || !helmReleases) return undefined
    const root = kustomizations.find(({ metadata }) => metadata.name === 'flux-system') ?? kustomizations[0]
    const revision = String(root?.status?.lastAppliedRevision ?? '')
    const at = revision === '' ? '' : ` at ${revision.replace(/(sha\d+:[0-9a-f]{7})[0-9a-f]+$/, '$1')}`
    const count = { kustomizations: kustomizations.length, helmReleases: helmReleases.length }
    return {
      text: `${count.kustomizations} Kustomizations, ${count.helmReleases} HelmReleases${at}`,
      fields: { ...count, revision: revision || null },
    }
  },
  certificates(facts, now) {
    const certificates = read(facts, 'certificates')
    if (!certificates?.length) return undefined
    const ends = certificates.map(({ status }) => Date.parse(String(status?.notAfter ?? ''))).filter(Number.isFinite)
    const first = Math.min(...ends)
    const days = ends.length > 0 ? Math.floor((first - now) / 86_400_000) : null
    return {
      text: `${certificates.length} Certificates${days === null ? '' : `, the first ends in ${days} days`}`,
      fields: { certificates: certificates.length, firstEndsInDays: days },
    }
  },
  holds(facts, now) {
    const holds = holdsOf(facts)
    if (!holds) return undefined
    const text = holds.map(({ object, owner, until, reason }) => {
      const end = until === null ? '' : ` ${Date.parse(until) > now ? 'until' : 'until (over)'} ${until}`
      return `${object}: ${owner ?? 'nobody has left a note'}${end}${reason ? `: ${reason}` : ''}`
    })
    return { text: text.length === 0 ? 'none' : text.join('; '), fields: { holds: holds.map((one) => ({ ...one })) } }
  },
}

export interface HeldObject {
  /** `Node apps-w1`, `Kustomization flux-system/odoo` */
  object: string
  owner: string | null
  reason: string | null
  since: string | null
  until: string | null
}

/** What somebody keeps from happening: cordoned nodes, suspended Kustomizations and HelmReleases. */
function holdsOf(facts: Facts): HeldObject[] | undefined {
  const [nodes, kustomizations, helmReleases] = [
    read(facts, 'nodes'),
    read(facts, 'kustomizations'),
    read(facts, 'helmReleases'),
  ]
  if (!nodes && !kustomizations && !helmReleases) return undefined
  const cordoned = (nodes ?? [])
    .map(nodeView)
    .filter(({ schedulable }) => !schedulable)
    .map(({ name, holder, reason, since }) => ({ object: `Node ${name}`, owner: holder, reason, since, until: null }))
  const suspended = [...(kustomizations ?? []), ...(helmReleases ?? [])]
    .filter(({ spec }) => spec?.suspend === true)
    .map((held) => {
      const { owner = null, reason = null, since = null, until = null } = holdOf(held) ?? {}
      return { object: `${held.kind} ${nameOf(held.metadata)}`, owner, reason, since, until }
    })
  return [...cordoned, ...suspended]
}

interface CephStatus {
  health?: string
  capacity?: { bytesUsed?: number; bytesTotal?: number }
}

const read = (facts: Facts, kind: FactKind): KubeObject[] | undefined => {
  const found = facts[kind]
  return found?.ok ? found.value : undefined
}

const nameOf = ({ namespace, name }: KubeObject['metadata']) => `${namespace}/${name}`

const distinct = (texts: string[]) => [...new Set(texts.filter(Boolean))].sort()

/** `3.0 TiB` */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}
