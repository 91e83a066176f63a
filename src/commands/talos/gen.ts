import { basename } from 'node:path'
import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { ConfigError } from '../../lib/errors.ts'
import { configFile } from '../../lib/ops/bootstrap-machines.ts'
import { errorOf, runLocalStep } from '../../lib/ops/local-step.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { generatedPaths, genStep, secretsChecks } from '../../lib/ops/talos-files.ts'
import type { ClusterNode } from '../../lib/types.ts'

export const talosGen = defineCommand({
  path: 'talos gen',
  summary: 'Generate the machine configs and the talosconfig of a cluster, and check them',
  description: 'Refuses when the secrets are not those of the machines that answer.',
  effect: 'local',
  scope: 'cluster',
  options: [nodesOption('all of them, and the talosconfig')],
  examples: ['k8sops talos gen --cluster apps', 'k8sops talos gen --cluster apps --node apps-w1'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const [cluster, gates, exec, { ageKey }] = await Promise.all([
      context.cluster(),
      context.gates(),
      context.exec(),
      context.repository(),
    ])
    const named = chosenNodes(cluster, context.options.node)
    const made =
      named.length > 0
        ? await generateSome(context, named)
        : await runLocalStep(genStep({ cluster, ageKey }), { ...context, gates, exec })
    if (made) context.note(`talos/${cluster.name}/clusterconfig is made; its files hold secrets, and Git ignores them`)
    return undefined
  },
})

/** talhelper 3.1 has no filter: all are made, and of these only the wanted ones are kept. */
async function generateSome(context: CommandContext, nodes: ClusterNode[]): Promise<boolean> {
  const [cluster, target, gates, exec, { ageKey }] = await Promise.all([
    context.cluster(),
    context.target(),
    context.gates(),
    context.exec(),
    context.repository(),
  ])
  const { signal } = context
  const refuse = async (checks: Parameters<typeof gates.evaluateAll>[0]) => {
    const error = errorOf(
      'machine configs can not be made',
      await gates.evaluateAll(checks, signal),
      'docs/runbooks/talos.md',
    )
    if (error) throw error
  }
  await refuse(secretsChecks(cluster.nodes))
  const { renewConfigs } = await import('../../lib/tools/generated-files.ts')
  const files = nodes.map((node) => configFile(cluster.name, node))
  const paths = generatedPaths(cluster.name)
  const request = { root: target.root, ageKey, exec, paths, signal, names: files.map((file) => basename(file)) }
  const made = await renewConfigs(request)
  if (!made.ok) throw new ConfigError(`machine configs can not be made: ${made.detail}`)
  await refuse([{ gate: 'talos-config-valid', params: { files: files.join(',') } }])
  return true
}
