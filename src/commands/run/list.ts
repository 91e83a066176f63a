import { defineCommand } from '../../lib/cli/define.ts'
import { storedRuns } from '../../lib/cli/stored-runs.ts'
import { describeSeconds } from '../../lib/ui/seconds.ts'

export const runList = defineCommand({
  path: 'run list',
  summary: 'List runs, newest first',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops run list', 'k8sops run list --lab -o json'],
  async read(context) {
    const cluster = context.options.cluster
    const runs = (await storedRuns(context)).filter(
      ({ plan }) => typeof cluster !== 'string' || cluster === 'all' || plan.cluster === cluster,
    )
    return {
      kind: 'RunList',
      items: runs.map(({ id, plan, state, startedAt, result }) => ({
        id,
        operation: plan.operation,
        cluster: plan.cluster,
        state,
        startedAt,
        seconds: result?.seconds ?? null,
        exitCode: result?.exitCode ?? null,
      })),
      columns: [
        { title: 'id', value: (row) => String(row.id) },
        { title: 'operation', value: (row) => String(row.operation) },
        { title: 'cluster', value: (row) => String(row.cluster) },
        { title: 'state', value: (row) => String(row.state) },
        { title: 'started', value: (row) => String(row.startedAt).slice(0, 19).replace('T', ' ') },
        { title: 'took', value: (row) => (row.seconds === null ? '' : describeSeconds(Number(row.seconds))) },
        { title: 'exit code', value: (row) => String(row.exitCode ?? ''), wide: true },
      ],
    }
  },
})
