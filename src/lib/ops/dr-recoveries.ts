/** Which databases a recovery brings back, and from what: those that Git declares, have an archive, and are not there already. Pure. */
import { UsageError } from '../errors.ts'
import { restoreKeys } from '../tools/kubectl-volsync.args.ts'
import type { KubeObject } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import { archiveName, archiveOf } from './cnpg-recovery.ts'
import { type RecoveryInput, recoveryOperation } from './dr.ts'
import type { DeclaredDatabase } from './dr-contents.ts'

export interface RecoveriesInput {
  declared: DeclaredDatabase[]
  /** Clusters of CloudNativePG that are there; none when the cluster does not tell, which the plan asks once more. */
  live: KubeObject[]
  /** `namespace/name` of those that are to begin empty. */
  empty: string[]
  /** Until when their archives are replayed (RFC 3339); to the end without it. */
  at: string | undefined
  /** Id of this recovery. */
  token: string
  began: Date
}

export interface Recoveries {
  recoveries: RecoveryInput['recoveries']
  /** `namespace/name` of those that somebody else has made: they stay as they are. */
  kept: string[]
}

/**
 * A recovery that an earlier run began goes on as what it is: with its own id, and the archive that it writes.
 * @throws UsageError for a name in `empty` that Git does not have
 */
export function recoveriesOf({ declared, live, empty, at, token, began }: RecoveriesInput): Recoveries {
  const known = declared.map(idOf)
  const strange = empty.filter((name) => !known.includes(name))
  if (strange.length > 0)
    throw new UsageError(`--begin-empty ${strange.join(', ')}: Git has no such database`, {
      next: `there are: ${known.join(', ') || 'none'}`,
    })
  const found = declared.map((database) => ({
    database,
    there: live.find((one) => placeOf(one) === idOf(database)),
  }))
  const isOurs = ({ metadata }: KubeObject) =>
    metadata.annotations?.[restoreKeys.by]?.startsWith(`${recoveryOperation}/`) === true
  return {
    kept: found.flatMap(({ database, there }) => (there && !isOurs(there) ? [idOf(database)] : [])),
    recoveries: found.flatMap(({ database, there }) => {
      if (database.archive === null || empty.includes(idOf(database)) || (there && !isOurs(there))) return []
      const own = there
        ? { token: there.metadata.annotations?.[restoreKeys.by] ?? '', archive: archiveOf(there).serverName }
        : { token, archive: archiveName(database.name, began) }
      const since = `${began.toISOString().slice(0, 19)}Z`
      return [
        {
          database,
          recovery: { ...own, from: database.archive, ...(at === undefined ? {} : { at }) },
          at: there?.metadata.annotations?.[restoreKeys.at] ?? since,
        },
      ]
    }),
  }
}

const idOf = ({ namespace, name }: Pick<DeclaredDatabase, 'namespace' | 'name'>): string => `${namespace}/${name}`
