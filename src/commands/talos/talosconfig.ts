import { resolve } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { ConfigError } from '../../lib/errors.ts'
import { errorOf } from '../../lib/ops/local-step.ts'
import { generatedPaths, secretsChecks } from '../../lib/ops/talos-files.ts'
import { noteCertificates } from './certificates.ts'

export const talosTalosconfig = defineCommand({
  path: 'talos talosconfig',
  summary: "Make the cluster's talosconfig anew, with a new client certificate: one file for each cluster",
  description:
    "Never merged into another file: talosctl's own merge makes a second context each time and switches to it.",
  effect: 'local',
  scope: 'cluster',
  options: [
    {
      flags: '--file <path>',
      description: 'where to (default: talos/CLUSTER/clusterconfig/talosconfig, ignored by Git)',
    },
  ],
  examples: ['k8sops talos talosconfig --cluster apps', 'k8sops talos talosconfig --file ~/.talos/apps.yaml'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const { options, cwd, signal, note } = context
    const [cluster, target, gates, exec, { ageKey }] = await Promise.all([
      context.cluster(),
      context.target(),
      context.gates(),
      context.exec(),
      context.repository(),
    ])
    const verdicts = await gates.evaluateAll(secretsChecks(cluster.nodes), signal)
    const refusal = errorOf(`the talosconfig of ${cluster.name} can't be made`, verdicts, 'docs/runbooks/talos.md')
    if (refusal) throw refusal
    const file =
      typeof options.file === 'string' ? resolve(cwd, options.file) : resolve(target.root, target.talosconfig)
    const { renewTalosconfig } = await import('../../lib/tools/generated-files.ts')
    const made = await renewTalosconfig({
      root: target.root,
      ageKey,
      exec,
      paths: generatedPaths(cluster.name),
      file,
      signal,
    })
    if (!made.ok) throw new ConfigError(`the talosconfig of ${cluster.name} can't be made: ${made.detail}`)
    note(`${file} is valid until ${made.value.toISOString().slice(0, 10)}; use it with: export TALOSCONFIG=${file}`)
    if (options.file === undefined) await noteCertificates(context)
    return undefined
  },
})
