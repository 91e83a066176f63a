import { text } from 'node:stream/consumers'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { recoveryRecord, rehearsalOf, successorOf } from '../../lib/ops/cnpg-recovery.ts'
import type { KubeObject } from '../../lib/types.ts'

const fromStdin = async <T = KubeObject>(): Promise<T> => JSON.parse(await text(process.stdin)) as T

/** Filters for the plan of `cnpg restore`, where a person would have to install jq. */
export const cnpgRehearsal = defineCommand({
  path: 'cnpg rehearsal',
  summary: 'Make the Cluster that is recovered beside a database out of the one on stdin',
  effect: 'local',
  scope: 'none',
  options: [
    { flags: '--token <token>', description: 'id of the restore' },
    { flags: '--from <server>', description: 'archive that is read' },
    { flags: '--archive <server>', description: 'archive of the Cluster that will take its place' },
    { flags: '--at <time>', description: 'until then (RFC 3339)' },
  ],
  examples: [
    'kubectl -n databases get cluster postgres -o json | k8sops cnpg rehearsal --token now --from postgres --archive postgres-2 | kubectl apply -f -',
  ],
  async run({ options, out }) {
    const [token, from, archive] = [textOption(options.token), textOption(options.from), textOption(options.archive)]
    if (!token || !from || !archive) throw new UsageError('--token, --from and --archive are needed')
    if (from === archive) throw new UsageError(`archive ${from} is read: a new Cluster can't write into it as well`)
    const at = textOption(options.at)
    const recovery = { token, from, archive, ...(at === undefined ? {} : { at }) }
    out(JSON.stringify(rehearsalOf(await fromStdin(), recovery)))
    return undefined
  },
})

export const cnpgSuccessor = defineCommand({
  path: 'cnpg successor',
  summary: 'Make the Cluster that takes the place of a database out of the one beside it, on stdin',
  effect: 'local',
  scope: 'none',
  args: { name: 'what it is called' },
  examples: [
    'kubectl -n databases get cluster postgres-restore -o json | k8sops cnpg successor postgres | kubectl apply -f -',
  ],
  async run({ args, out }) {
    out(JSON.stringify(successorOf(await fromStdin(), args.name ?? '')))
    return undefined
  },
})

export const cnpgRecoveryRecord = defineCommand({
  path: 'cnpg recovery-record',
  summary: 'Make the record of a recovery out of the Clusters on stdin',
  effect: 'local',
  scope: 'none',
  args: { name: 'the database' },
  options: [{ flags: '--at <time>', description: 'when the restore began (RFC 3339)' }],
  examples: [
    'kubectl -n databases get clusters -o json | k8sops cnpg recovery-record postgres --at 2026-11-30T06:00:00Z | kubectl apply -f -',
  ],
  async run({ args, options, out }) {
    const at = textOption(options.at)
    if (!at) throw new UsageError('--at is missing')
    out(JSON.stringify(recoveryRecord(await fromStdin<{ items: KubeObject[] }>(), args.name ?? '', at)))
    return undefined
  },
})
