/** What a recovery needs, as rows for `dr plan` and as facts for the plan of `dr run`. */
import { type BackupRow, backupRows } from '../../lib/ops/backup-status.ts'
import { preflightChecks } from '../../lib/ops/bootstrap-observe.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import type { UsedMachine } from '../../lib/ops/used-machines.ts'
import { nextRun } from '../../lib/tools/cron.ts'
import type { Json, Verdict } from '../../lib/types.ts'
import type { SeenRecovery } from './observe.ts'

export interface Need {
  name: string
  state: 'ok' | 'missing' | 'unknown'
  detail: string
  next?: string
}

export function recoveryNeeds(
  seen: SeenRecovery,
  { verdicts, used, blind, now }: { verdicts: Verdict[]; used: UsedMachine[]; blind: boolean; now: number },
): Need[] {
  return [
    ...preflightChecks.map(({ gate }, index) => ofVerdict(gate, verdicts[index])),
    {
      name: 'disks',
      state: used.length > 0 ? 'missing' : blind ? 'unknown' : 'ok',
      detail:
        used
          .flatMap(({ node, disks }) =>
            disks.map(({ device, content }) => `${node.hostname}: ${device} holds ${content}`),
          )
          .join('; ') ||
        (blind
          ? 'nobody is asked before there are machine configs (k8sops talos gen)'
          : 'none holds an earlier cluster'),
      ...(used.length === 0 ? {} : { next: 'k8sops dr run --destroy-disk-data' }),
    },
    ...seen.stores.map(
      ({ endpoint, answer }): Need => ({
        name: 'backups',
        state: answer.ok ? 'ok' : 'unknown',
        detail: `${endpoint} ${answer.ok ? answer.value : `does not answer here: ${answer.detail}`}`,
      }),
    ),
    // Everything comes from Git; it is a way around a recovery, while the machines still have their disks.
    {
      name: 'etcd snapshot',
      state: seen.snapshot.ok ? 'ok' : 'unknown',
      detail: seen.snapshot.ok
        ? `${seen.snapshot.value}; a recovery does not use it`
        : `${seen.snapshot.detail}; a recovery does without`,
    },
    ...backupNeeds(seen, now),
  ]
}

function ofVerdict(name: string, verdict: Verdict | undefined): Need {
  if (!verdict) return { name, state: 'unknown', detail: 'not looked at' }
  if (verdict.status === 'pass') return { name, state: 'ok', detail: verdict.detail }
  const state = verdict.status === 'fail' ? 'missing' : 'unknown'
  return { name, state, detail: verdict.detail, ...(verdict.next ? { next: verdict.next } : {}) }
}

/** How old what would come back is: the cluster itself knows that best, for as long as it tells. */
function backupNeeds({ contents, backups }: SeenRecovery, now: number): Need[] {
  const rows = backups.ok ? backupRows(backups.value, { now, nextRun, graceMs: 3_600_000 }) : []
  const needOf = (kind: BackupRow['kind'], namespace: string, name: string): Need => {
    const row = rows.find((one) => one.kind === kind && one.namespace === namespace && one.name === name)
    const title = `${kind} ${namespace}/${name}`
    if (!row?.lastSuccess)
      return { name: title, state: 'unknown', detail: 'how old its newest backup is, only the cluster knew' }
    return {
      name: title,
      state: 'ok',
      detail: `newest backup ${ageText(row.lastSuccess, now)} ago (${row.lastSuccess})`,
    }
  }
  return [
    ...contents.databases.map(
      (one): Need =>
        one.archive === null
          ? {
              name: `database ${one.namespace}/${one.name}`,
              state: 'missing',
              detail: 'it is archived nowhere: it begins empty',
            }
          : needOf('database', one.namespace, one.name),
    ),
    ...contents.volumes.map(({ namespace, name }) => needOf('volume', namespace, name)),
  ]
}

/** For a plan's basis. */
export function recoveryFacts({ contents, time, snapshot, stores, backups }: SeenRecovery): { [name: string]: Json } {
  return {
    databases: contents.databases.map(
      ({ namespace, name, archive }) => `${namespace}/${name}: ${archive ?? 'no archive'}`,
    ),
    backups: Object.fromEntries(stores.map(({ endpoint, answer }) => [endpoint, answer.ok ? answer.value : 'unknown'])),
    backupAges: backups.ok ? 'as the cluster tells' : 'unknown',
    etcdSnapshot: snapshot.ok ? snapshot.value : 'unknown',
    expectedSec: { least: time.lowSec, most: time.highSec },
  }
}
