import { existsSync } from 'node:fs'
import { chmod, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { ToolError, UsageError } from '../../lib/errors.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { snapshotNode } from '../../lib/ops/etcd-snapshot.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { supportArgs } from '../../lib/tools/talosctl-node.args.ts'

const timeoutSec = 600

export const talosSupport = defineCommand({
  path: 'talos support',
  summary: 'Collect logs and state of the machines in one zip, for a bug report',
  description:
    'Made by talosctl support, which leaves secrets out but not names and addresses: look into it before you publish it.',
  effect: 'local',
  scope: 'cluster',
  options: [
    nodesOption('all of them'),
    { flags: '--out <file>', description: 'a file that does not exist yet (default: support-CLUSTER-TIME.zip here)' },
  ],
  examples: ['k8sops talos support --cluster apps', 'k8sops talos support --node apps-w1 --out /tmp/apps-w1.zip'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const { options, cwd, signal, note } = context
    const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
    const named = chosenNodes(cluster, options.node)
    const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
    const file = resolve(cwd, typeof options.out === 'string' ? options.out : `support-${cluster.name}-${stamp}.zip`)
    if (existsSync(file)) throw new UsageError(`${file} exists`, { next: 'take another name with --out' })
    // A control plane passes requests on to the others; a worker answers for itself only.
    const { answering } = await observeEtcd(await context.talos(), cluster, signal)
    const endpoint = snapshotNode(cluster, answering).address
    const nodes = (named.length > 0 ? named : cluster.nodes).map(({ address }) => address)
    const pipeline = [supportArgs(target.talosconfig, endpoint, nodes, file)]
    const result = await exec({ pipeline, timeoutSec, signal, onLine: note })
    const size = await stat(file).then(
      ({ size: bytes }) => bytes,
      () => 0,
    )
    if (result.exitCode !== 0 || size === 0) {
      throw new ToolError(`talosctl support ${result.ended ?? `ended with exit code ${result.exitCode}`}`, {
        command: result.line,
        output: result.tail.join('\n'),
      })
    }
    await chmod(file, 0o600)
    note(`${file}: ${size} bytes`)
    return undefined
  },
})
