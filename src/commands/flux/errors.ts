import { completeApp } from '../../lib/cli/app-option.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { isUnwell, revisionText, statusRows } from '../../lib/ops/flux-status.ts'
import type { FluxRow } from '../../lib/ops/flux-view.ts'
import { awayFields, clusterNames, fluxOf, lookAtClusters } from './clusters.ts'

export const fluxErrors = defineCommand({
  path: 'flux errors',
  summary: 'Show whole messages of what has failed, causes before what waits for them',
  description: 'Exit code 3 when there is one.',
  effect: 'read',
  scope: 'cluster',
  args: { 'app...?': 'only of these applications' },
  completeArgs: completeApp,
  examples: ['k8sops flux errors --cluster all', 'k8sops flux errors coredns --cluster apps'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const names = await clusterNames(context)
    const { seen, away } = await lookAtClusters(context, names, (opened, git) => fluxOf(opened, git, context.signal))
    const filter = { apps: context.rest.app ?? [], failed: true, suspended: false, stale: false }
    const rows = statusRows(seen, filter, Date.now()).filter(isUnwell)
    const items = rows.toSorted((a, b) => Number(a.state === 'waiting') - Number(b.state === 'waiting'))
    const text = items.length === 0 ? 'nothing has failed' : items.map(paragraph).join('\n\n')
    const exitCode = seen.length === 0 ? exitCodes.unreachable : items.length > 0 ? exitCodes.gate : exitCodes.ok
    return { kind: 'FluxErrorList', items, text, fields: { unreachable: awayFields(away) }, exitCode }
  },
})

function paragraph(row: FluxRow): string {
  const name = `${row.cluster}  ${row.kind} ${row.namespace}/${row.name}`
  const about = [row.state, row.reason, row.since ? `since ${row.since}` : '', revisionText(row), row.remediation]
  const message = String(row.message ?? 'no message').trim()
  return [`${name}: ${about.filter(Boolean).join(', ')}`, ...message.split('\n').map((line) => `  ${line}`)].join('\n')
}
