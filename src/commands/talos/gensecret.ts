import { defineCommand } from '../../lib/cli/define.ts'
import { runLocalStep } from '../../lib/ops/local-step.ts'
import { gensecretStep } from '../../lib/ops/talos-files.ts'

export const talosGensecret = defineCommand({
  path: 'talos gensecret',
  summary: "Make a new cluster's Talos secrets, encrypted with sops; never over old ones",
  effect: 'local',
  scope: 'cluster',
  examples: ['k8sops talos gensecret --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const [cluster, gates, exec] = await Promise.all([context.cluster(), context.gates(), context.exec()])
    await runLocalStep(gensecretStep(cluster), { ...context, gates, exec })
    context.note(`talos/${cluster.name}/talsecret.sops.yaml is made: commit it before anything is configured with it`)
    return undefined
  },
})
