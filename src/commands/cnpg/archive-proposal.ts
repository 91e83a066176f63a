/** What Git has to say of a database that was recovered: the archive that it writes now, as one setting of its cluster. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandContext } from '../../lib/cli/define.ts'
import { objectsOf } from '../../lib/ops/backup-facts.ts'
import { archiveOf } from '../../lib/ops/cnpg-recovery.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { Place } from '../../lib/tools/kubectl-volsync.args.ts'

/** `POSTGRES_ARCHIVE`: the Cluster's manifest takes `serverName` from there (ADR 0041). */
export const archiveSetting = ({ name }: Place): string => `${name.replaceAll('-', '_').toUpperCase()}_ARCHIVE`

/** Shows the edit; the file stays as it is. */
export async function proposeArchive(context: CommandContext, place: Place, archive: string): Promise<void> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const path = layout.settings(cluster.name)
  const [before, { withSetting }, { lineDifference }] = await Promise.all([
    readFile(join(target.root, path), 'utf8'),
    import('../../lib/repo/settings-edit.ts'),
    import('../../lib/tools/line-difference.ts'),
  ])
  const after = withSetting(before, archiveSetting(place), archive)
  context.note(`Git has to name its archive, for as long as it is used:\n${lineDifference(path, before, after)}`)
}

/** The archive that Flux would give it: what the files here render to, as long as the live settings say the same. */
export async function archiveInGit(context: CommandContext, place: Place): Promise<string | undefined> {
  const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
  const settings = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'flux-system', name: layout.settingsName }
  const [live] = objectsOf(await kube.list(settings, context.signal), cluster.name)
  const [{ renderCluster }, { kustomizeBuild }] = await Promise.all([
    import('../../lib/repo/render.ts'),
    import('../../lib/tools/kustomize.ts'),
  ])
  const rendered = await renderCluster(target.root, cluster.name, { kustomize: kustomizeBuild(context.env) })
  const database = rendered
    .flatMap(({ manifests }) => manifests)
    .filter(({ apiVersion, kind }) => kind === 'Cluster' && apiVersion.startsWith('postgresql.cnpg.io/'))
    .map((manifest) => manifest.object())
    .find(({ metadata }) => metadata.name === place.name && metadata.namespace === place.namespace)
  if (!database) return undefined
  const { serverName } = archiveOf(database)
  // What was committed here has not reached the cluster yet: what it has counts.
  const known = live?.data?.[archiveSetting(place)] ?? place.name
  return known === serverName ? serverName : known
}
