import { defineCommand } from '../../lib/cli/define.ts'
import { withListed } from '../../lib/repo/applications.ts'
import { completeApplications, overlayOf, rewriteList } from './listing.ts'

export const appEnable = defineCommand({
  path: 'app enable',
  summary: 'Put an application on a cluster: its line in the list that Flux follows',
  effect: 'local',
  scope: 'cluster',
  args: { app: 'its name, as `app list` has it' },
  completeArgs: { app: completeApplications },
  examples: ['k8sops app enable n8n --cluster apps'],
  runbook: 'docs/runbooks/flux.md',
  async run(context) {
    const { cluster, namespace } = await overlayOf(context)
    const difference = await rewriteList(context, cluster, (text, file) =>
      withListed(text, file, `${namespace}/${context.args.app}`),
    )
    if (difference) context.note(`${difference}\nlook at what it brings, then commit it: k8sops diff`)
    return { kind: 'ApplicationList', items: [{ name: context.args.app ?? '', changed: difference !== '' }], text: '' }
  },
})
