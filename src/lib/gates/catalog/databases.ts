/** PostgreSQL that is saved and brought back. */
import type { Condition, Gate, ObjectLook } from '../types.ts'

const runbook = 'docs/runbooks/postgres.md'

const database = { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', namespace: '$namespace' }

const theDatabase = (every: Condition[]): ObjectLook => ({
  object: database,
  expect: { atLeast: 1, named: '$name', every },
})

export const databaseGates = {
  'cnpg-backed-up': {
    title: 'base backup $namespace/$name is complete',
    probe: 'cnpg-backed-up',
    params: ['namespace', 'name'],
    everySec: 1,
    next: 'kubectl -n $namespace describe backups.postgresql.cnpg.io $name',
    runbook,
  },
  'cnpg-recovered': {
    title: 'PostgreSQL $namespace/$name has been recovered for $token, and has all its instances',
    probe: 'cnpg-recovered',
    params: ['namespace', 'name', 'token', 'expectSec'],
    mayBeEmpty: ['expectSec'],
    everySec: 1,
    next: 'kubectl -n $namespace logs -l cnpg.io/cluster=$name,cnpg.io/jobRole=full-recovery --all-containers --tail=50',
    runbook,
  },
  'cnpg-restored-by': {
    title: 'PostgreSQL $namespace/$name is the one that restore $token has made',
    ...theDatabase([{ path: 'metadata.annotations[k8sops.dev/restored-by]', in: ['$token'] }]),
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'cnpg-restore-proven': {
    title: 'the clients of PostgreSQL $namespace/$name were Ready on what the restore of $at has recovered',
    ...theDatabase([{ path: 'metadata.annotations[k8sops.dev/restored-at]', in: ['$at'] }]),
    params: ['namespace', 'name', 'at'],
    runbook,
  },
  'cnpg-applied-by-flux': {
    title: 'Flux applies PostgreSQL $namespace/$name, which goes on with archive $archive',
    probe: 'cnpg-applied-by-flux',
    params: ['namespace', 'name', 'archive'],
    everySec: 1,
    next: 'kubectl -n $namespace get clusters.postgresql.cnpg.io $name -o yaml --show-managed-fields',
    runbook,
  },
  'cnpg-predecessor-gone': {
    title: 'nothing is left of PostgreSQL $namespace/$name as it was before restore $token',
    probe: 'cnpg-predecessor-gone',
    params: ['namespace', 'name', 'token'],
    everySec: 1,
    next: 'kubectl -n $namespace get clusters.postgresql.cnpg.io,pods,pvc -l cnpg.io/cluster=$name',
    runbook,
  },
  'cnpg-database-absent': {
    title: 'there is no PostgreSQL $namespace/$name any more',
    object: database,
    expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$name'] }], every: [] },
    params: ['namespace', 'name'],
    runbook,
  },
} as const satisfies Record<string, Gate>
