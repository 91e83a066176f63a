import { completeApp } from '../../lib/cli/app-option.ts'
import { cell, type Data, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes } from '../../lib/errors.ts'
import { ageText, isUnwell, revisionText, type StatusFilter, statusRows } from '../../lib/ops/flux-status.ts'
import type { FluxRow } from '../../lib/ops/flux-view.ts'
import { awayFields, clusterNames, fluxOf, type Looked, lookAtClusters } from './clusters.ts'
import { watchFlux } from './watch.ts'

export const fluxStatus = defineCommand({
  path: 'flux status',
  summary: 'Show what Flux runs: Ready or why not, revision against git, remediation, who holds it',
  description:
    'Sources, Kustomizations and HelmReleases in one table; with --cluster all of every cluster. Exit code 3 when something shown has failed or waits for what has (what is suspended counts as wanted), 4 when no cluster answers.',
  effect: 'read',
  scope: 'cluster',
  args: { 'app...?': 'applications: a Kustomization with its HelmReleases and sources' },
  completeArgs: completeApp,
  options: [
    { flags: '--failed', description: 'only what is not Ready', default: false },
    { flags: '--suspended', description: 'only what is suspended', default: false },
    {
      flags: '--stale',
      description: 'only what has not applied what its source or git has had for 5m',
      default: false,
    },
    { flags: '--watch', description: 'watch until nothing shown is unwell', default: false },
    { flags: '--timeout <duration>', description: 'how long to watch', default: '10m' },
  ],
  examples: [
    'k8sops flux status --cluster all',
    'k8sops flux status --failed --cluster apps',
    'k8sops flux status coredns --watch --timeout 5m',
    'k8sops flux status --cluster all --suspended -o json',
  ],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const { options, rest, signal } = context
    const names = await clusterNames(context)
    const filter: StatusFilter = {
      apps: rest.app ?? [],
      failed: options.failed === true,
      suspended: options.suspended === true,
      stale: options.stale === true,
    }
    const look = () => lookAtClusters(context, names, (opened, git) => fluxOf(opened, git, signal))
    let looked = await look()
    let rows = statusRows(looked.seen, filter, Date.now())
    if (options.watch === true) {
      const timeoutSec = parseDurationSec(String(options.timeout))
      rows = await watchFlux(context, names, {
        timeoutSec,
        rows: async () => {
          looked = await look()
          return statusRows(looked.seen, filter, Date.now())
        },
        first: rows,
      })
    }
    const exitCode = signal.aborted ? exitCodes.interrupted : statusExitCode(looked, rows)
    return { ...statusData(rows, looked.away), exitCode }
  },
})

function statusExitCode({ seen, away }: Looked<unknown>, rows: FluxRow[]): number {
  if (seen.length === 0) return exitCodes.unreachable
  if (rows.some(isUnwell)) return exitCodes.gate
  return away.length > 0 ? exitCodes.unreachable : exitCodes.ok
}

function statusData(rows: FluxRow[], away: Looked<unknown>['away']): Data {
  const now = Date.now()
  const any = (field: string) => rows.some((row) => row[field] !== null)
  return {
    kind: 'FluxStatus',
    items: rows,
    columns: [
      { title: 'cluster', value: cell('cluster') },
      { title: 'kind', value: cell('kind') },
      { title: 'name', value: (row) => `${row.namespace}/${row.name}` },
      { title: 'state', value: (row) => (row.suspended === true ? 'suspended' : String(row.state)) },
      { title: 'revision', value: revisionText },
      { title: 'since', value: (row) => ageText(row.since, now) },
      { title: 'held by', value: cell('heldBy'), wide: !any('heldBy') },
      { title: 'remediation', value: cell('remediation'), wide: !any('remediation') },
      { title: 'stale', value: cell('stale'), wide: true },
      { title: 'message', value: cell('message') },
    ],
    fields: { unreachable: awayFields(away) },
  }
}
