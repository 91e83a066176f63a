import { defineCommand } from '../../lib/cli/define.ts'
import { runLocalStep } from '../../lib/ops/local-step.ts'
import { kubeconfigStep } from '../../lib/ops/talos-files.ts'
import { noteCertificates } from './certificates.ts'

export const talosKubeconfig = defineCommand({
  path: 'talos kubeconfig',
  summary: "Put the cluster's admin kubeconfig into your own, under the cluster's context name",
  effect: 'local',
  scope: 'cluster',
  examples: ['k8sops talos kubeconfig --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const [cluster, target, gates, exec] = await Promise.all([
      context.cluster(),
      context.target(),
      context.gates(),
      context.exec(),
    ])
    const made = await runLocalStep(kubeconfigStep({ cluster, target }), { ...context, gates, exec })
    if (made) context.note(`context ${target.context} is in ${target.kubeconfig}; your current context is as it was`)
    await noteCertificates(context)
    return undefined
  },
})
