import { completeApp } from '../../lib/cli/app-option.ts'
import { cell, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes, UsageError } from '../../lib/errors.ts'
import { liveRows } from '../../lib/ops/flux-live.ts'
import { viewsOfApps } from '../../lib/ops/flux-status.ts'
import { commitOf, type FluxRow, shortRevision } from '../../lib/ops/flux-view.ts'
import { quietGit } from '../../lib/repo/revision.ts'
import { clusterNames, fluxOf, lookAtClusters, type OpenedCluster } from './clusters.ts'
import { watchFlux } from './watch.ts'

export const fluxWait = defineCommand({
  path: 'flux wait',
  summary: 'Wait until a commit is live: applied by every Kustomization, and Ready',
  description:
    'A Kustomization counts when it runs that commit or one that contains it, and is Ready on it. Exit code 3 when time is up, or when what is left is suspended.',
  effect: 'read',
  scope: 'cluster',
  args: { 'app...?': 'only these applications' },
  completeArgs: completeApp,
  options: [
    { flags: '--revision <commit>', description: 'commit, branch or tag (default: what the cluster follows)' },
    { flags: '--timeout <duration>', description: 'how long to wait', default: '10m' },
  ],
  examples: ['k8sops flux wait --revision HEAD --cluster all', 'k8sops flux wait coredns --timeout 5m --cluster infra'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const { options, rest, signal } = context
    const names = await clusterNames(context)
    const apps = rest.app ?? []
    const look = async (): Promise<FluxRow[]> => {
      const { seen } = await lookAtClusters(context, names, async (opened, git) => {
        const [flux, wanted] = await Promise.all([
          fluxOf(opened, git, signal, ['GitRepository', 'Kustomization']),
          commitWanted(opened, options.revision),
        ])
        const views = apps.length > 0 ? viewsOfApps(flux.views, apps) : flux.views
        const known = await containing(
          opened,
          wanted,
          views.flatMap(({ revision }) => commitOf(revision) ?? []),
        )
        return liveRows(flux.cluster, views, (commit) => known.get(commit))
      })
      return seen.flat()
    }
    const rows = await watchFlux(context, names, {
      timeoutSec: parseDurationSec(String(options.timeout)),
      rows: look,
      first: await look(),
      isOpen: (all) => all.some((row) => row.live !== true && row.held !== true),
      line: (row) =>
        `${row.cluster} ${row.name}: ${row.live === true ? `live on ${shortRevision(String(row.revision))}` : row.waitingFor}`,
    })
    const live = rows.length > 0 && rows.every((row) => row.live === true)
    return {
      kind: 'FluxRevision',
      items: rows,
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'name', value: cell('name') },
        { title: 'live', value: (row) => (row.live === true ? 'yes' : 'no') },
        { title: 'revision', value: (row) => shortRevision(row.revision as string | null) },
        { title: 'waiting for', value: cell('waitingFor') },
      ],
      exitCode: live ? exitCodes.ok : signal.aborted ? exitCodes.interrupted : exitCodes.gate,
    }
  },
})

/** @throws UsageError for what is no commit here */
async function commitWanted(opened: OpenedCluster, revision: unknown): Promise<string> {
  const git = quietGit(opened.target.root)
  const { follows } = opened.cluster
  const candidates = typeof revision === 'string' ? [revision] : [`origin/${follows}`, follows]
  for (const candidate of candidates) {
    const found = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${candidate}^{commit}`])
    if (found.exitCode === 0) return found.stdout.trim()
  }
  throw new UsageError(`${candidates.at(-1)} is no commit of this repository`, { next: 'git fetch' })
}

/** By commit that runs: whether it contains the wanted one. One that git does not know is missing. */
async function containing(opened: OpenedCluster, wanted: string, commits: string[]): Promise<Map<string, boolean>> {
  const git = quietGit(opened.target.root)
  const known = new Map<string, boolean>()
  await Promise.all(
    [...new Set(commits)].map(async (commit) => {
      const { exitCode } = await git(['merge-base', '--is-ancestor', wanted, commit])
      if (exitCode === 0 || exitCode === 1) known.set(commit, exitCode === 0)
    }),
  )
  return known
}
