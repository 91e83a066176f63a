import { text } from 'node:stream/consumers'
import { defineCommand } from '../../lib/cli/define.ts'
import { kubeconfigPath } from '../../lib/config/target.ts'
import { UsageError } from '../../lib/errors.ts'

export const kubeconfigMerge = defineCommand({
  path: 'kubeconfig merge',
  summary: 'Put the kubeconfig on standard input into your own, under the name of a context',
  effect: 'local',
  scope: 'none',
  options: [
    { flags: '--context <name>', description: 'name of the context; an older one of that name is replaced' },
    {
      flags: '--file <path>',
      description: 'kubeconfig to change (default: the one of KUBECONFIG, else ~/.kube/config)',
    },
  ],
  examples: ['talosctl -n 10.25.13.11 kubeconfig --merge=false - | k8sops kubeconfig merge --context apps'],
  runbook: 'docs/runbooks/talos.md',
  async run({ options, env, note }) {
    const { context, file } = options
    if (typeof context !== 'string')
      throw new UsageError('--context is missing', { next: 'k8sops kubeconfig merge --help' })
    const { writeMergedKubeconfig } = await import('../../lib/tools/kubeconfig-merge.ts')
    const path = typeof file === 'string' ? file : kubeconfigPath(env, context)
    await writeMergedKubeconfig(path, await text(process.stdin), context)
    note(`context ${context} is in ${path}; use it with: kubectl --context ${context}`)
    return undefined
  },
})
