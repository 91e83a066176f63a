/** What a Ceph is without one of its OSDs, and which nodes Rook looks for disks on. Pure. */
import type { KubeObject } from '../types.ts'

/** What the Job `ask` has found out. */
export interface OsdAnswer {
  /** Every placement group would go on without it. */
  mayStop: boolean
  /** Of its disk; undefined when Ceph does not know it. */
  bytes: number | undefined
  /** Ceph's own words. */
  said: string
}

/** The lines of a Job's message, `key=value`. */
export function messageLines(message: string): Record<string, string> {
  const pairs = message.split('\n').flatMap((line) => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()]] : []
  })
  return Object.fromEntries(pairs)
}

/** @returns undefined for what is no answer */
export function osdAnswer(message: string): OsdAnswer | undefined {
  const { stop, bytes, said = '' } = messageLines(message)
  if (stop === undefined) return undefined
  return { mayStop: stop === '0', bytes: Number(bytes) > 0 ? Number(bytes) : undefined, said }
}

export interface CephWithout {
  /** Number of the OSD. */
  osd: string
  cluster: KubeObject
  /** CephBlockPools and the like of its namespace. */
  pools: KubeObject[]
  /** Deployments of all its OSDs. */
  osds: KubeObject[]
  /** Before Ceph was asked: none. */
  answer?: OsdAnswer
  /** Health checks that are no reason to stop. */
  tolerate: string[]
}

export const osdIdOf = ({ metadata }: KubeObject): string => metadata.labels?.['ceph-osd-id'] ?? ''
export const osdNodeOf = ({ spec }: KubeObject): string => {
  const { template } = (spec ?? {}) as { template?: { spec?: { nodeSelector?: Record<string, string> } } }
  return template?.spec?.nodeSelector?.['kubernetes.io/hostname'] ?? ''
}
const hostOf = (osd: KubeObject): string => osd.metadata.labels?.['topology-location-host'] ?? osdNodeOf(osd)
const runs = ({ status }: KubeObject): boolean => Number(status?.readyReplicas ?? 0) > 0

/** What a disk that dies raises by itself. */
const dying = ['DEVICE_HEALTH', 'DEVICE_HEALTH_IN_USE', 'BLUESTORE_SLOW_OP_ALERT', 'BLOCK_DEVICE_STALLED_READ_ALERT']
/** What an OSD that is down already costs: its data are made again elsewhere, and that is what is wanted. */
const down = ['OSD_DOWN', 'OSD_HOST_DOWN', 'PG_DEGRADED']
/** Where Ceph warns by itself (mon_osd_nearfull_ratio). */
const nearFull = 0.85

/** Why the OSD may not go: empty when Ceph can make everything again without it. */
export function reasonsToKeep(ceph: CephWithout): string[] {
  const { osd, cluster, pools, osds, answer, tolerate } = ceph
  const own = osds.find((one) => osdIdOf(one) === osd)
  if (!own) return [`Rook has no OSD ${osd}`]
  const others = osds.filter((one) => one !== own)
  return [
    ...healthReasons(cluster, [...tolerate, ...dying, ...(runs(own) ? [] : down)]),
    ...others.filter((one) => !runs(one)).map((one) => `osd.${osdIdOf(one)} on ${hostOf(one)} does not run either`),
    ...placeReasons(pools, new Set(others.map(hostOf)).size),
    ...(answer ? answerReasons(cluster, answer) : []),
  ]
}

function healthReasons({ status }: KubeObject, accepted: string[]): string[] {
  const { health, details = {} } = (status?.ceph ?? {}) as {
    health?: string
    details?: Record<string, { message?: string }>
  }
  if (health === 'HEALTH_OK') return []
  const reasons = Object.entries(details).filter(([key]) => !accepted.includes(key))
  if (health === 'HEALTH_WARN' && reasons.length === 0 && Object.keys(details).length > 0) return []
  if (reasons.length === 0) return [`Ceph is ${health ?? 'of unknown health'}`]
  return reasons.map(([key, { message = '' }]) => `Ceph is ${health}: ${key} ${message}`)
}

/** Each copy is on a host of its own: with fewer hosts than copies some are never made again. */
function placeReasons(pools: KubeObject[], hosts: number): string[] {
  return pools.flatMap(({ kind, metadata, spec = {} }) => {
    const {
      failureDomain = 'host',
      replicated,
      erasureCoded,
    } = spec as {
      failureDomain?: string
      replicated?: { size?: number }
      erasureCoded?: { dataChunks?: number; codingChunks?: number }
    }
    const size = Number(replicated?.size ?? 0) || (erasureCoded?.dataChunks ?? 0) + (erasureCoded?.codingChunks ?? 0)
    if (failureDomain !== 'host' || size <= hosts) return []
    return [`${kind} ${metadata.name} keeps ${size} copies on as many hosts, and ${hosts} would be left`]
  })
}

function answerReasons({ spec, status }: KubeObject, { mayStop, bytes, said }: OsdAnswer): string[] {
  const reasons = mayStop ? [] : [`Ceph says that it may not stop: ${said || 'no answer'}`]
  const { bytesTotal, bytesUsed } = ((status?.ceph as { capacity?: object } | undefined)?.capacity ?? {}) as {
    bytesTotal?: number
    bytesUsed?: number
  }
  if (bytes === undefined || !bytesTotal || bytesUsed === undefined)
    return [...reasons, 'nobody knows how full Ceph would be without it']
  const limit = Number((spec?.storage as { nearFullRatio?: number } | undefined)?.nearFullRatio ?? nearFull)
  const part = bytesUsed / Math.max(1, bytesTotal - bytes)
  if (part < limit) return reasons
  return [
    ...reasons,
    `without it Ceph would be ${Math.round(part * 100)} % full, at least ${Math.round(limit * 100)} %`,
  ]
}

interface Storage {
  useAllNodes?: boolean
  nodes?: { name?: string }[] | null
}

/** Whether Rook looks for disks on the node. */
export function asksFor({ spec }: KubeObject, node: string): boolean {
  const { useAllNodes = false, nodes } = (spec?.storage ?? {}) as Storage
  return useAllNodes || (nodes ?? []).some(({ name }) => name === node)
}
