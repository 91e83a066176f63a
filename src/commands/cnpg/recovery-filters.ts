import { text } from 'node:stream/consumers'
import { defineCommand, type OptionSpec, type OptionValue, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { beginningOf, type Recovery, recoveryRecord, rehearsalOf, successorOf } from '../../lib/ops/cnpg-recovery.ts'
import { manifest, splitDocuments } from '../../lib/repo/manifests.ts'
import type { KubeObject } from '../../lib/types.ts'

const fromStdin = async <T = KubeObject>(): Promise<T> => JSON.parse(await text(process.stdin)) as T

const recoveryOptions: OptionSpec[] = [
  { flags: '--token <token>', description: 'id of the restore' },
  { flags: '--from <server>', description: 'archive that is read' },
  { flags: '--archive <server>', description: 'archive of the Cluster that will take its place' },
  { flags: '--at <time>', description: 'until then (RFC 3339)' },
]

/** @throws UsageError for one that is not whole, or would be written where it is read */
function recoveryOf(options: Record<string, OptionValue>): Recovery {
  const [token, from, archive] = [textOption(options.token), textOption(options.from), textOption(options.archive)]
  if (!token || !from || !archive) throw new UsageError('--token, --from and --archive are needed')
  if (from === archive) throw new UsageError(`archive ${from} is read: a new Cluster can't write into it as well`)
  const at = textOption(options.at)
  return { token, from, archive, ...(at === undefined ? {} : { at }) }
}

/** Filters for the plan of `cnpg restore`, where a person would have to install jq. */
export const cnpgRehearsal = defineCommand({
  path: 'cnpg rehearsal',
  summary: 'Make the Cluster that is recovered beside a database out of the one on stdin',
  effect: 'local',
  scope: 'none',
  options: recoveryOptions,
  examples: [
    'kubectl -n databases get cluster postgres -o json | k8sops cnpg rehearsal --token now --from postgres --archive postgres-2 | kubectl apply -f -',
  ],
  async run({ options, out }) {
    out(JSON.stringify(rehearsalOf(await fromStdin(), recoveryOf(options))))
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

/** A filter for the plan of `dr run`: the database is recovered in a cluster that has none yet. */
export const cnpgBeginning = defineCommand({
  path: 'cnpg beginning',
  summary: 'Pick a database out of the manifests on stdin, as one that is recovered from its archive',
  effect: 'local',
  scope: 'none',
  args: { database: 'NAMESPACE/NAME' },
  options: recoveryOptions,
  examples: [
    'k8sops repo render postgres --cluster apps | k8sops cnpg beginning databases/postgres --token now --from postgres --archive postgres-2 | kubectl apply -f -',
  ],
  async run({ args, options, out }) {
    const recovery = recoveryOf(options)
    const found = splitDocuments(await text(process.stdin))
      .map((one) => manifest(one, undefined))
      .filter(({ apiVersion, kind }) => kind === 'Cluster' && apiVersion.startsWith('postgresql.cnpg.io/'))
      .map((one) => one.object())
      .find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === args.database)
    if (!found) throw new UsageError(`the manifests have no PostgreSQL ${args.database}`)
    out(JSON.stringify(beginningOf(found, recovery)))
    return undefined
  },
})
