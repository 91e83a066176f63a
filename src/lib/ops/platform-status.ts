/**
 * Whether a platform for developers is well: each row of the requirements' table `ArsipQ Platform Success`, judged from live objects. What
 * can't be read is unknown, and unknown is never well; nothing at all of a kind is a failure, because the table wants one.
 */
import type { Json } from '../types.ts'
import type { PlatformCheck, PlatformState } from './platform-check.ts'
import type { PlatformSeen } from './platform-facts.ts'
import { gatusChecks, keycloakChecks, registryChecks, vaultChecks } from './platform-services.ts'
import { kafkaChecks, postgresChecks, s3Checks } from './platform-stores.ts'

export interface PlatformRow {
  component: string
  state: PlatformState
  summary: string
  checks: PlatformCheck[]
  next: string
}

export function platformRows(seen: PlatformSeen): PlatformRow[] {
  return [
    row('postgres', postgresChecks(seen), 'kubectl get clusters.postgresql.cnpg.io -A'),
    row('kafka', kafkaChecks(seen), 'kubectl get kafkas,kafkanodepools,kafkatopics -A'),
    row('s3', s3Checks(seen), 'kubectl get externalsecrets -A; look at the endpoint in Gatus'),
    row('schema-registry', registryChecks(seen), 'kubectl get apicurioregistries3 -A -o yaml'),
    row('keycloak', keycloakChecks(seen), 'kubectl get keycloaks,keycloakrealmimports -A -o yaml'),
    row('openbao', vaultChecks(seen), 'kubectl get pods -A -l app.kubernetes.io/name=openbao --show-labels'),
    row('gatus', gatusChecks(seen), 'kubectl get configmaps -A -l gatus.io/enabled=true'),
  ]
}

function row(component: string, checks: PlatformCheck[], next: string): PlatformRow {
  const failed = checks.filter(({ state }) => state === 'fail')
  const open = checks.filter(({ state }) => state === 'unknown')
  const worst = failed[0] ?? open[0]
  const state = failed.length > 0 ? 'fail' : open.length > 0 ? 'unknown' : 'ok'
  const others = failed.length + open.length > 1 ? ` (and ${failed.length + open.length - 1} more)` : ''
  const summary = worst ? `${worst.detail}${others}` : checks.map(({ detail }) => detail).join('; ')
  return { component, state, summary, checks, next: worst ? next : '' }
}

/** For JSON: everything that was looked at. */
export const rowFields = ({ checks, ...rest }: PlatformRow): { [key: string]: Json } => ({
  ...rest,
  checks: checks.map((check) => ({ ...check })),
})
