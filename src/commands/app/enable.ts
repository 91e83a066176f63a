import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { withListed, withoutListed } from '../../lib/repo/applications.ts'
import { layout } from '../../lib/repo/layout.ts'
import { completeApplications, overlayOf } from './listing.ts'

const common = {
  effect: 'local' as const,
  scope: 'cluster' as const,
  args: { app: 'its name, as `app list` has it' },
  completeArgs: { app: completeApplications },
  runbook: 'docs/runbooks/flux.md',
}

export const appEnable = defineCommand({
  ...common,
  path: 'app enable',
  summary: 'Put an application on a cluster: its line in the list that Flux follows',
  examples: ['k8sops app enable n8n --cluster apps'],
  run: (context) => edited(context, true),
})

export const appDisable = defineCommand({
  ...common,
  path: 'app disable',
  summary: 'Take an application off a cluster: once the edit is merged, Flux removes it',
  description:
    'Its files stay. A volume or database that its manifests keep (`prune: disabled`) stays on the cluster, and says so in `k8sops diff`.',
  examples: ['k8sops app disable n8n --cluster apps'],
  run: (context) => edited(context, false),
})

/** The cluster's list with the application's line, or without it. */
async function edited(context: CommandContext, wanted: boolean) {
  const { cluster, namespace, enabled } = await overlayOf(context)
  const { root } = await context.repository()
  const { app = '' } = context.args
  const changed = enabled !== wanted
  if (changed) {
    const file = layout.appList(cluster)
    const before = await readFile(join(root, file), 'utf8')
    const after = (wanted ? withListed : withoutListed)(before, file, `${namespace}/${app}`)
    const [{ changeFiles }, { lineDifference }] = await Promise.all([
      import('../../lib/repo/new-files.ts'),
      import('../../lib/tools/line-difference.ts'),
    ])
    await changeFiles(root, { edited: new Map([[file, after]]) })
    const what = wanted ? 'what it brings' : 'what goes'
    context.note(`${lineDifference(file, before, after)}\nlook at ${what}, then commit it: k8sops diff`)
  }
  return { kind: 'ApplicationList', items: [{ name: app, changed }], text: '' }
}
