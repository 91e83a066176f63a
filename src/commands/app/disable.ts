import { defineCommand } from '../../lib/cli/define.ts'
import { withoutListed } from '../../lib/repo/applications.ts'
import { completeApplications, overlayOf, rewriteList } from './listing.ts'

export const appDisable = defineCommand({
  path: 'app disable',
  summary: 'Take an application off a cluster: once the edit is merged, Flux removes it',
  description:
    'Its files stay. A volume or database that its manifests keep (`prune: disabled`) stays on the cluster, and says so in `k8sops diff`.',
  effect: 'local',
  scope: 'cluster',
  args: { app: 'its name, as `app list` has it' },
  completeArgs: { app: completeApplications },
  examples: ['k8sops app disable n8n --cluster apps'],
  runbook: 'docs/runbooks/flux.md',
  async run(context) {
    const { cluster, namespace, enabled } = await overlayOf(context)
    const entry = `${namespace}/${context.args.app}`
    const difference = enabled
      ? await rewriteList(context, cluster, (text, file) => withoutListed(text, file, entry))
      : ''
    if (difference) context.note(`${difference}\nlook at what goes, then commit it: k8sops diff`)
    return { kind: 'ApplicationList', items: [{ name: context.args.app ?? '', changed: difference !== '' }], text: '' }
  },
})
