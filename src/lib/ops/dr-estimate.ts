/** How long a recovery takes, part by part: as it was measured last, by a run or a drill, else as the requirements say. Pure. */
import { recordKey } from '../tools/drill-record.args.ts'
import type { Plan, RunResult } from '../types.ts'
import type { Contents, DeclaredVolume } from './dr-contents.ts'
import type { DrillRecord } from './drill-objects.ts'
import { expectedSeconds } from './volsync-destination.ts'

/** NFR20: a whole cluster, from Git and its backups. */
export const recoveryTargetSec = 7200
/** NFR2: from machines without a config to Flux being Ready. */
const bootstrapTargetSec = 1800

export interface RecoveryPart {
  /** `bootstrap`, `database databases/postgres`, `volume business/odoo`. */
  name: string
  seconds: number
  /** A run of this machine, a restore drill, or the requirements (NFR2; their table of restore times, by the size of the volume). */
  from: string
}

export interface RecoveryTime {
  parts: RecoveryPart[]
  /** Restores go side by side, over one line: between the longest of them and all of them. */
  lowSec: number
  highSec: number
}

export interface Measured {
  /** Newest first. */
  runs: { id: string; plan: Plan; result?: RunResult }[]
  /** Of restore drills and recoveries, by `namespace.name`; none when the cluster does not tell. */
  records: Map<string, DrillRecord>
}

export function recoveryTime(
  { databases, volumes }: Contents,
  cluster: string,
  { runs, records }: Measured,
): RecoveryTime {
  const own = runs.filter(({ plan }) => plan.cluster === cluster)
  const bootstrapped = own.find(
    ({ plan, result }) =>
      plan.operation === 'bootstrap' &&
      plan.targetSec !== undefined &&
      wholly(result) &&
      result?.outcome === 'succeeded',
  )
  const bootstrap = {
    name: 'bootstrap',
    seconds: Math.round(bootstrapped?.result?.seconds ?? bootstrapTargetSec),
    from: bootstrapped ? `run ${bootstrapped.id}` : 'NFR2',
  }
  const restoreOf = (kind: string, one: Sized, verbs: string[]): RecoveryPart => {
    const id = recordKey(`${one.namespace}/${one.name}`)
    const name = `${kind} ${one.namespace}/${one.name}`
    const steps = verbs.map((verb) => `${id}/${verb}`)
    const run = timeInRuns(steps, own)
    if (run) return { name, ...run }
    const record = records.get(id)
    if (record?.result === 'ok' && record.restoreSec !== null)
      return { name, seconds: record.restoreSec, from: `restored on ${record.at.slice(0, 10)}` }
    return { name, seconds: expectedSeconds(one.bytes), from: `${Math.round(one.bytes / 1e9)} GB by the table` }
  }
  const restores = [
    ...databases
      .filter(({ archive }) => archive !== null)
      .map((one) => restoreOf('database', one, ['recovered', 'replace'])),
    ...volumes.map((one) => restoreOf('volume', one, ['filled', 'restore'])),
  ]
  const seconds = restores.map((one) => one.seconds)
  return {
    parts: [bootstrap, ...restores],
    lowSec: bootstrap.seconds + Math.max(0, ...seconds),
    highSec: bootstrap.seconds + seconds.reduce((sum, one) => sum + one, 0),
  }
}

/** One that was resumed has steps that another process did, whose time is not known. */
const wholly = (result: RunResult | undefined): boolean =>
  result?.steps.some(({ id, state }) => id.endsWith('/apply-config') && state === 'done') === true

type Sized = Pick<DeclaredVolume, 'namespace' | 'name' | 'bytes'>

function timeInRuns(steps: string[], runs: Measured['runs']): Pick<RecoveryPart, 'seconds' | 'from'> | undefined {
  for (const { id, result } of runs) {
    const done = result?.steps.find((step) => steps.includes(step.id) && step.state === 'done')
    if (done?.seconds !== undefined) return { seconds: Math.round(done.seconds), from: `run ${id}` }
  }
  return undefined
}
