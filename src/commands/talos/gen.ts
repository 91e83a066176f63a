import { defineCommand } from '../../lib/cli/define.ts'
import { runLocalStep } from '../../lib/ops/local-step.ts'
import { genStep } from '../../lib/ops/talos-files.ts'

export const talosGen = defineCommand({
  path: 'talos gen',
  summary: 'Generate the machine configs and the talosconfig of a cluster, and check them',
  effect: 'local',
  scope: 'cluster',
  examples: ['k8sops talos gen --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const [cluster, gates, exec, { ageKey }] = await Promise.all([
      context.cluster(),
      context.gates(),
      context.exec(),
      context.repository(),
    ])
    const made = await runLocalStep(genStep({ cluster, ageKey }), { ...context, gates, exec })
    if (made) context.note(`talos/${cluster.name}/clusterconfig is made; its files hold secrets, and Git ignores them`)
    return undefined
  },
})
