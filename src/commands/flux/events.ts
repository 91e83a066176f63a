import { completeApp } from '../../lib/cli/app-option.ts'
import { cell, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { UnreachableError } from '../../lib/errors.ts'
import { eventRows } from '../../lib/ops/flux-events.ts'
import { ageText, viewsOfApps } from '../../lib/ops/flux-status.ts'
import { idOf } from '../../lib/ops/flux-view.ts'
import { clusterNames, fluxOf, lookAtClusters } from './clusters.ts'

export const fluxEvents = defineCommand({
  path: 'flux events',
  summary: 'Show what Flux did and what went wrong, oldest first',
  effect: 'read',
  scope: 'cluster',
  args: { 'app...?': 'only of these applications' },
  completeArgs: completeApp,
  options: [
    { flags: '--warnings', description: 'only what went wrong', default: false },
    { flags: '--since <duration>', description: 'how far back', default: '1h' },
  ],
  examples: ['k8sops flux events coredns --cluster apps', 'k8sops flux events --warnings --since 10m --cluster all'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const { options, rest, signal } = context
    const now = Date.now()
    const after = now - parseDurationSec(String(options.since)) * 1000
    const apps = rest.app ?? []
    const { seen } = await lookAtClusters(context, await clusterNames(context), async (opened, git) => {
      const kube = await opened.kube()
      const [flux, read] = await Promise.all([
        apps.length > 0 ? fluxOf(opened, git, signal) : undefined,
        kube.list({ apiVersion: 'v1', kind: 'Event' }, signal),
      ])
      if (!read.ok) throw new UnreachableError('the events can not be read', { output: read.detail })
      const only = flux ? new Set(viewsOfApps(flux.views, apps).map(idOf)) : undefined
      return eventRows(opened.cluster.name, read.value, { only, after, warnings: options.warnings === true })
    })
    return {
      kind: 'FluxEventList',
      items: seen.flat().toSorted((a, b) => String(a.at).localeCompare(String(b.at))),
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'age', value: (row) => ageText(row.at, now) },
        { title: 'type', value: cell('type') },
        { title: 'object', value: cell('object') },
        { title: 'reason', value: cell('reason') },
        { title: 'count', value: cell('count'), wide: true },
        { title: 'message', value: cell('message') },
      ],
    }
  },
})
