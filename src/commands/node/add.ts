import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { nodeTimeoutOption } from '../../lib/cli/node-option.ts'
import { sourceChoice, sourceOptions } from '../../lib/cli/source-options.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { observeBasis } from '../../lib/ops/basis.ts'
import { planAdd } from '../../lib/ops/node-join.ts'
import { layout } from '../../lib/repo/layout.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import type { Cluster } from '../../lib/types.ts'
import { proposeWith } from './talconfig-proposal.ts'

export const nodeAdd = defineCommand({
  path: 'node add',
  summary: 'Let a machine in maintenance mode join the cluster',
  description:
    'A node that talconfig.yaml does not name yet is proposed as an edit of it (a copy of --like), or with --write made; commit it, and call this again. A node that it names is configured and waited for.',
  effect: 'write',
  args: { node: 'hostname of the new node' },
  options: [
    { flags: '--address <address>', description: 'of a node that is not in talconfig.yaml yet' },
    { flags: '--like <node>', description: 'the node whose entry is copied (default: the last worker)' },
    { flags: '--write', description: 'make the edit of talconfig.yaml', default: false },
    nodeTimeoutOption,
    ...sourceOptions,
  ],
  examples: ['k8sops node add apps-w4 --address 10.25.13.17 --cluster apps', 'k8sops node add apps-w4 --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { args, options } = context
    const hostname = args.node ?? ''
    const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
    const node = cluster.nodes.find((one) => one.hostname === hostname)
    if (!node) {
      const edit = { hostname, address: addressOf(options.address), like: likeOf(cluster, options.like) }
      const difference = await proposeWith(context, edit)
      if (options.write === true && options.dryRun !== true) {
        const { addToTalconfig } = await import('../../lib/tools/talconfig-file.ts')
        await addToTalconfig(`${target.root}/${layout.talconfig(cluster.name)}`, edit)
      }
      throw new GateError(
        `${hostname} is not in talconfig.yaml of ${cluster.name} ${options.write === true ? 'as it is committed' : 'yet'}`,
        {
          output: difference,
          next: `${options.write === true ? 'look through the edit' : 'make the edit'}, confirm what it marks, commit and push it, then call k8sops node add ${hostname} again`,
        },
      )
    }
    const source = { ...sourceChoice(context), tools: pinnedVersions('bootstrap') }
    const { basis, requireSource } = await observeBasis(exec, cluster, target, source)
    if (options.dryRun !== true && options.planOut === undefined) requireSource()
    const state = await (await context.talos()).state(node.address, context.signal)
    const { ageKey } = await context.repository()
    const nodeTimeoutSec = parseDurationSec(String(options.nodeTimeout))
    const observed = { ...basis.observed, machine: state.ok ? state.value : 'unknown' }
    return planAdd({ cluster, ageKey, node, nodeTimeoutSec }, { ...basis, observed })
  },
})

function addressOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new UsageError('--address is missing', { next: 'of a node that is not in talconfig.yaml yet' })
}

/** @throws UsageError for a cluster without workers and no --like */
function likeOf({ nodes }: Cluster, wanted: unknown): string {
  if (typeof wanted === 'string') return wanted
  const last = nodes.findLast(({ controlPlane }) => !controlPlane)
  if (last) return last.hostname
  throw new UsageError('--like is missing', { next: `one of ${nodes.map(({ hostname }) => hostname).join(', ')}` })
}
