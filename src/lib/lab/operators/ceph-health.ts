/** What `ceph status` would say of a cluster whose daemons are these pods (health checks as in Ceph 20). */

export interface Daemon {
  /** Letter of a monitor, number of an OSD. */
  id: string
  node: string
  up: boolean
}

export interface CephFacts {
  mons: Daemon[]
  osds: Daemon[]
  /** Every OSD is up again, but what was written meanwhile hasn't reached all of them. */
  recovering: boolean
  /** The host whose OSDs stay in Ceph's map while they are down. */
  noout?: string
}

export interface HealthCheck {
  severity: 'HEALTH_WARN' | 'HEALTH_ERR'
  message: string
}

/** Replicas of a pool and how many of them must be there for I/O. */
const pool = { size: 3, minSize: 2 }

/** Health checks by key, as `status.ceph.details` has them; undefined without a quorum of monitors: nobody answers then. */
export function healthChecks({ mons, osds, recovering, noout }: CephFacts): Record<string, HealthCheck> | undefined {
  const away = mons.filter(({ up }) => !up)
  if (mons.length - away.length <= mons.length / 2) return undefined
  const checks: Record<string, HealthCheck> = {}
  const warn = (key: string, message: string) => {
    checks[key] = { severity: 'HEALTH_WARN', message }
  }
  if (away.length > 0) {
    const quorum = mons.filter(({ up }) => up).map(({ id }) => id)
    warn('MON_DOWN', `${away.length}/${mons.length} mons down, quorum ${quorum.join(',')}`)
  }
  const lost = osds.filter(({ up }) => !up)
  const hosts = new Set(lost.map(({ node }) => node))
  if (lost.length > 0) {
    warn('OSD_DOWN', `${lost.length} osds down`)
    warn('OSD_HOST_DOWN', `${hosts.size} host (${lost.length} osds) down`)
  }
  if (noout) {
    const flags = '1 OSDs or CRUSH {nodes, device-classes} have {NOUP,NODOWN,NOIN,NOOUT} flags set'
    warn('OSD_FLAGS', flags)
  }
  // One OSD a host: some placement group has two of its replicas on any two hosts.
  if (hosts.size > pool.size - pool.minSize) warn('PG_AVAILABILITY', 'Reduced data availability: pgs inactive')
  if (lost.length > 0 || recovering) warn('PG_DEGRADED', 'Degraded data redundancy: pgs degraded, pgs undersized')
  return checks
}

/** HEALTH_OK, HEALTH_WARN or HEALTH_ERR: the worst of the checks. */
export function overall(checks: Record<string, HealthCheck>): string {
  const severities = new Set(Object.values(checks).map(({ severity }) => severity))
  if (severities.has('HEALTH_ERR')) return 'HEALTH_ERR'
  return severities.has('HEALTH_WARN') ? 'HEALTH_WARN' : 'HEALTH_OK'
}
