import { defineCommand, textOption } from '../lib/cli/define.ts'
import { loadRepository, repositoryRoot } from '../lib/config/load.ts'
import type { Json } from '../lib/types.ts'
import { namedCluster } from './repo/selection.ts'

export const graph = defineCommand({
  path: 'graph',
  summary: 'Draw what waits for what on a cluster: its Kustomizations by dependsOn',
  effect: 'read',
  scope: 'cluster',
  options: [
    {
      flags: '--format <format>',
      description: 'how it is drawn',
      default: 'text',
      choices: ['text', 'mermaid', 'svg'],
    },
  ],
  examples: ['k8sops graph --cluster infra', 'k8sops graph --format mermaid', 'k8sops graph --format svg > graph.svg'],
  async read({ options, env, cwd, signal }) {
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    const only = textOption(options.cluster)
    const clusters = only && only !== 'all' ? [namedCluster(repository, only)] : repository.clusters
    const [{ readView }, { renderersOf }, { dependencyGraph }, draw] = await Promise.all([
      import('../lib/repo/read-view.ts'),
      import('../lib/repo/renderers.ts'),
      import('../lib/repo/graph.ts'),
      import('../lib/ui/graph.ts'),
    ])
    const { view } = await readView(repository, clusters, renderersOf(repository.root, env, signal))
    const graphs = view.clusters.map(({ name, rendered }) => dependencyGraph(name, rendered))
    const forms = { text: draw.graphText, mermaid: draw.graphMermaid, svg: draw.graphSvg }
    return {
      kind: 'DependencyGraphList',
      text: forms[textOption(options.format) as keyof typeof forms](graphs),
      items: graphs as unknown as { [key: string]: Json }[],
    }
  },
})
