import { cell, defineCommand } from '../../lib/cli/define.ts'
import { readApplications } from '../../lib/repo/applications.ts'

export const appList = defineCommand({
  path: 'app list',
  summary: 'List the applications of this repository, and which cluster runs them',
  description: 'What git says. What runs is told by `k8sops flux status` and `k8sops why APP`.',
  effect: 'read',
  scope: 'repository',
  examples: ['k8sops app list', "k8sops app list -o json | jq -r '.items[].name'"],
  async read(context) {
    const { root, clusters } = await context.repository()
    const applications = readApplications(
      root,
      clusters.map(({ name }) => name),
    )
    return {
      kind: 'ApplicationList',
      items: applications.map(({ name, base = null, overlays }) => ({
        name,
        base,
        overlays: overlays.map((overlay) => ({ ...overlay })),
      })),
      columns: [
        { title: 'app', value: cell('name') },
        ...clusters.map((cluster) => ({
          title: cluster.name,
          value: ({ overlays }: { overlays?: unknown }) => {
            const overlay = (overlays as { cluster: string; enabled: boolean }[]).find(
              (one) => one.cluster === cluster.name,
            )
            return overlay === undefined ? '-' : overlay.enabled ? 'enabled' : 'disabled'
          },
        })),
        { title: 'base', value: cell('base'), wide: true },
      ],
    }
  },
})
