/** What `talos diff` shows and `talos apply` plans with. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { ConfigError, GateError } from '../../lib/errors.ts'
import { errorOf } from '../../lib/ops/local-step.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { generatedPaths, secretsChecks } from '../../lib/ops/talos-files.ts'
import type { NodePreview } from '../../lib/tools/config-preview.ts'
import type { ClusterNode } from '../../lib/types.ts'

/**
 * The nodes of `--node` (all without it), each with what applying its new config would do.
 * @throws ConfigError when the secrets can't be read or are those of another cluster, GateError when they differ in part
 */
export async function observePreviews(context: CommandContext): Promise<NodePreview[]> {
  const { options, signal } = context
  const [cluster, target, gates, exec, { ageKey }] = await Promise.all([
    context.cluster(),
    context.target(),
    context.gates(),
    context.exec(),
    context.repository(),
  ])
  const named = chosenNodes(cluster, options.node)
  const nodes: ClusterNode[] = named.length > 0 ? named : cluster.nodes
  const verdicts = await Promise.all(secretsChecks(nodes).map((check) => gates.evaluate(check, signal)))
  const refusal = errorOf(
    `the machine configs of ${cluster.name} can't be compared`,
    verdicts,
    'docs/runbooks/talos.md',
  )
  if (refusal) throw refusal
  const paths = generatedPaths(cluster.name)
  const request = { root: target.root, cluster: cluster.name, ageKey, paths, nodes, exec, signal }
  const { previewConfigs } = await import('../../lib/tools/config-preview.ts')
  const previews = await previewConfigs(request)
  if (!previews.ok) throw new ConfigError(`the machine configs of ${cluster.name} can't be made: ${previews.detail}`)
  refuseOtherSecrets(cluster.name, previews.value)
  return previews.value
}

/** Same CA, but another token or key: applied, the cluster would fall apart at the next restart of a part of it. */
function refuseOtherSecrets(cluster: string, previews: NodePreview[]): void {
  const lines = previews.flatMap(({ node, changes }) =>
    changes.filter(({ identity }) => identity).map(({ path }) => `${node.hostname}: ${path}`),
  )
  if (lines.length === 0) return
  throw new GateError(`the secrets in talos/${cluster}/talsecret.sops.yaml are not those that the machines run with`, {
    output: lines.join('\n'),
    next: `restore the file from Git history: git log -- talos/${cluster}/talsecret.sops.yaml`,
    runbook: 'docs/runbooks/talos.md',
  })
}
