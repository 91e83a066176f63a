/** What `dr plan` and `dr run` look at beside a bootstrap: what is to come back, from where, and how long that took before. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandContext } from '../../lib/cli/define.ts'
import { storedRuns } from '../../lib/cli/stored-runs.ts'
import { OperatorError } from '../../lib/errors.ts'
import { type BackupFacts, readBackups } from '../../lib/ops/backup-facts.ts'
import { type Contents, contentsOf } from '../../lib/ops/dr-contents.ts'
import { type RecoveryTime, recoveryTime } from '../../lib/ops/dr-estimate.ts'
import { layout } from '../../lib/repo/layout.ts'
import { renderCluster } from '../../lib/repo/render.ts'
import { renderingCache } from '../../lib/repo/rendering-cache.ts'
import { kustomizeBuild, kustomizePath } from '../../lib/tools/kustomize.ts'
import { readSnapshot } from '../../lib/tools/snapshot-file.ts'
import { storeAnswer } from '../../lib/tools/store-answer.ts'
import type { KubePort, Result } from '../../lib/types.ts'
import { readDrillRecords } from '../backup/observe.ts'

export interface SeenRecovery {
  contents: Contents
  time: RecoveryTime
  /** Of the cluster as it is now, while it still tells. */
  backups: Result<BackupFacts>
  /** The newest etcd snapshot of this machine. */
  snapshot: Result<string>
  /** What each place of backups says to somebody without a key. */
  stores: { endpoint: string; answer: Result<string> }[]
}

export async function observeRecovery(context: CommandContext): Promise<SeenRecovery> {
  const [cluster, target, contents, runs] = await Promise.all([
    context.cluster(),
    context.target(),
    readContents(context),
    storedRuns(context),
  ])
  const [backups, records, snapshot, stores] = await Promise.all([
    whileItTells(async (kube) => readBackups(kube, cluster.name, context.signal), context),
    whileItTells(async (kube) => readDrillRecords(kube, cluster.name, context.signal), context),
    newestSnapshot(target.snapshotDir, cluster.name),
    Promise.all(
      contents.endpoints.map(async (endpoint) => ({ endpoint, answer: await storeAnswer(endpoint, context.signal) })),
    ),
  ])
  const measured = { runs, records: records.ok ? records.value : new Map() }
  return { contents, time: recoveryTime(contents, cluster.name, measured), backups, snapshot, stores }
}

async function readContents(context: CommandContext): Promise<Contents> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const cache = renderingCache<Contents>(
    target.root,
    `contents-${cluster.name}`,
    [kustomizePath(context.env)],
    [layout.kubernetes],
  )
  const known = cache.read()
  if (known) return known
  const contents = contentsOf(
    await renderCluster(target.root, cluster.name, { kustomize: kustomizeBuild(context.env) }),
  )
  cache.write(contents)
  return contents
}

/** A cluster that is lost tells nothing, and that is no error here. */
async function whileItTells<T>(read: (kube: KubePort) => Promise<T>, context: CommandContext): Promise<Result<T>> {
  try {
    return { ok: true, value: await read(await context.kube()) }
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    return { ok: false, why: 'unreachable', detail: error.detail.output ?? error.message }
  }
}

async function newestSnapshot(directory: string, cluster: string): Promise<Result<string>> {
  const name = namesIn(directory)
    .filter((one) => one.startsWith(`${cluster}-`) && one.endsWith('.db'))
    .toSorted()
    .at(-1)
  if (name === undefined) return { ok: false, why: 'not-found', detail: `none in ${directory}` }
  try {
    const { takenAt } = await readSnapshot(join(directory, name))
    return { ok: true, value: `${name} of ${takenAt.toISOString()}` }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: (error as Error).message }
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
