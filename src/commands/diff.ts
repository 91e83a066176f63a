import { defineCommand, textOption } from '../lib/cli/define.ts'
import { loadRepository, repositoryRoot } from '../lib/config/load.ts'
import { exitCodes } from '../lib/errors.ts'
import type { Json } from '../lib/types.ts'
import { namedCluster } from './repo/selection.ts'

export const diff = defineCommand({
  path: 'diff',
  summary: 'Show what a commit changes on every cluster: objects, images, restarts, dangers',
  description:
    'Show what a change means on every cluster at once: rendered objects added, changed and removed for each Kustomization and ' +
    'HelmRelease, images, what restarts, and what is dangerous. What cannot be rendered is never shown as deleted. Without a commit: ' +
    'the working tree against where the branch left main. Exit 3 when there is a difference.',
  effect: 'read',
  scope: 'cluster',
  args: { 'range?': 'BASE, or BASE..HEAD' },
  options: [
    {
      flags: '--live',
      description: 'look what of it is in the clusters: what is not there, or protected, is not deleted',
      default: false,
    },
    { flags: '--markdown <file>', description: 'also write a comment for a pull request, within GitHub’s limits' },
    { flags: '--html <file>', description: 'also write a report to look at' },
  ],
  examples: [
    'k8sops diff',
    'k8sops diff main..HEAD --markdown comment.md',
    'k8sops diff HEAD~1 --cluster infra --live --html diff.html',
  ],
  async read({ args, options, env, cwd, signal, another }) {
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    const only = textOption(options.cluster)
    const clusters = only && only !== 'all' ? [namedCluster(repository, only)] : repository.clusters
    const { compareRevisions } = await import('../lib/repo/difference/compare.ts')
    const { text, isEmpty } = await compareRevisions({
      repository,
      range: args.range,
      clusters: clusters.map(({ name }) => name),
      env,
      signal,
      ...(options.live ? { live: async (name: string) => (await another(name)).kube() } : {}),
    })
    const [{ renderDifference, differenceMarkdown }, { writeFile }] = await Promise.all([
      import('../lib/ui/difference-text.ts'),
      import('node:fs/promises'),
    ])
    const [markdown, html] = [textOption(options.markdown), textOption(options.html)]
    if (markdown) await writeFile(markdown, differenceMarkdown(text))
    if (html) await writeFile(html, (await import('../lib/ui/difference-html.ts')).differenceHtml(text))
    const { clusters: items, ...fields } = text
    return {
      kind: 'RenderedDifference',
      exitCode: isEmpty ? exitCodes.ok : exitCodes.gate,
      text: isEmpty ? `${text.base} -> ${text.head}: no difference\n` : renderDifference(text),
      items: items as unknown as { [key: string]: Json }[],
      fields: fields as unknown as { [key: string]: Json },
    }
  },
})
