import { cell, defineCommand } from '../../lib/cli/define.ts'
import { warnDays } from './certificates.ts'

export const talosHealth = defineCommand({
  path: 'talos health',
  summary: 'Tell whether machines, etcd, nodes and everything that an upgrade asks for are well',
  description:
    'Every gate that must hold while all nodes are in service, and how long our certificates are valid. Exit code 3 when a gate does not hold, 4 when nothing answers. One gate alone, or live: k8sops gate check.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops talos health --cluster apps', 'k8sops talos health -o json'],
  runbook: 'docs/runbooks/talos.md',
  async read(context) {
    const [cluster, gates] = await Promise.all([context.cluster(), context.gates()])
    const [{ clusterHealthy }, { reportExitCode, reportRows }] = await Promise.all([
      import('../../lib/gates/lifecycle-sets.ts'),
      import('../../lib/gates/report.ts'),
    ])
    const checks = clusterHealthy(cluster)
    const certificates = { gate: 'client-certificates-valid', params: { days: warnDays } }
    const verdicts = await gates.evaluateAll([...checks, certificates], context.signal)
    const own = verdicts.at(-1)
    // A certificate that ends in a month is no fault of the cluster.
    if (own && own.status !== 'pass') context.note(`WARNING: ${own.detail}${own.next ? `\n  next: ${own.next}` : ''}`)
    return {
      kind: 'TalosHealth',
      items: reportRows([...checks, certificates], verdicts),
      columns: [
        { title: 'GATE', value: cell('name') },
        { title: 'VERDICT', value: cell('verdict') },
        { title: 'REASON', value: cell('reason') },
        { title: 'NEXT', value: cell('next'), wide: true },
      ],
      fields: { cluster: cluster.name },
      exitCode: reportExitCode(checks, verdicts.slice(0, -1)),
    }
  },
})
