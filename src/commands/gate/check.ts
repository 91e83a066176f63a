import type { CommandContext } from '../../lib/cli/define.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { exitCodes, UsageError } from '../../lib/errors.ts'
import { checksNamed } from '../../lib/gates/own-params.ts'
import { type ReportRow, reportExitCode, reportRows } from '../../lib/gates/report.ts'
import { checksOf, isPerNode, type SetName, setNames } from '../../lib/gates/sets.ts'
import { watchGates } from '../../lib/gates/watch.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import type { Check, Cluster } from '../../lib/types.ts'

export const gateCheck = defineCommand({
  path: 'gate check',
  summary: 'Look at gates of a cluster: do they hold, and if not, why',
  description:
    'Without names: everything that must hold before machines are worked on; with --set before-upgrade also whether they can go to the version and image that Git names. Exit code 0 when all of them hold, 3 when one does not, 4 when nothing of the cluster can be reached.',
  effect: 'read',
  scope: 'cluster',
  args: { 'gate...?': 'gates, as `gate list` names them' },
  completeArgs: { gate: async () => Object.keys((await import('../../lib/gates/catalog.ts')).gates) },
  options: [
    { flags: '--set <set>', description: 'the gates around an upgrade', choices: [...setNames] },
    nodesOption('all of them'),
    { flags: '--param <name=value...>', description: 'parameters that the repository does not tell' },
    { flags: '--watch', description: 'watch until all of them hold', default: false },
    { flags: '--timeout <duration>', description: 'how long to watch', default: '10m' },
  ],
  examples: [
    'k8sops gate check --cluster apps',
    'k8sops gate check ceph-healthy cnpg-healthy --cluster apps --watch --timeout 30m',
    'k8sops gate check --cluster apps --set before-node --node apps-w1',
    'k8sops gate check installer-image --param image=factory.talos.dev/metal-installer/ID:v1.12.11',
  ],
  runbook: 'docs/runbooks/gates.md',
  async read(context) {
    const cluster = await context.cluster()
    const checks = await chosenChecks(context, cluster)
    const gates = await context.gates()
    const seen =
      context.options.watch === true
        ? await watchGates({
            gates,
            checks,
            cluster: cluster.name,
            timeoutSec: parseDurationSec(String(context.options.timeout)),
            signal: context.signal,
            view: await context.view(),
          })
        : { verdicts: await gates.evaluateAll(checks, context.signal), since: [] }
    return {
      kind: 'GateReport',
      items: reportRows(checks, seen.verdicts, seen.since),
      columns: [
        { title: 'gate', value: ({ name }) => String(name) },
        { title: 'of', value: subject },
        { title: 'verdict', value: ({ verdict }) => String(verdict) },
        { title: 'since', value: ({ since }) => String(since ?? '') },
        { title: 'reason', value: ({ reason }) => String(reason) },
        { title: 'next', value: ({ next }) => String(next ?? ''), wide: true },
        { title: 'runbook', value: ({ runbook }) => String(runbook), wide: true },
      ],
      fields: { cluster: cluster.name },
      exitCode: context.signal.aborted ? exitCodes.interrupted : reportExitCode(checks, seen.verdicts),
    }
  },
})

/** What tells several rows of one gate apart; a list of all nodes tells nothing. */
const subject = ({ params }: ReportRow): string => {
  const { node, name, namespace } = params as Record<string, string>
  return node ?? [namespace, name].filter(Boolean).join('/')
}

async function chosenChecks(context: CommandContext, cluster: Cluster): Promise<Check[]> {
  const { rest, options } = context
  const names = rest.gate ?? []
  const set = options.set as SetName | undefined
  const chosen = chosenNodes(cluster, options.node)
  const nodes = chosen.length > 0 ? chosen : cluster.nodes
  const given = parameters(options.param)
  if (set === undefined && names.length > 0) return checksNamed([...new Set(names)], { cluster, nodes, given })
  if (names.length > 0) throw new UsageError('give either gates by name or --set')
  if (Object.keys(given).length > 0) throw new UsageError('--param is for gates that are named')
  if (set === undefined) return checksOf('before-upgrade', { cluster }, nodes)
  if (isPerNode(set) && chosen.length === 0)
    throw new UsageError(`--set ${set} is about one node after the other`, { next: 'name them with --node' })
  const { nodeTargets } = await import('../talos/node-targets.ts')
  return checksOf(set, { cluster, targets: await nodeTargets(context, nodes) }, nodes)
}

function parameters(given: CommandContext['options'][string]): Record<string, string> {
  return Object.fromEntries(
    list(given).map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--param ${pair}: expected NAME=VALUE`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

const list = (given: CommandContext['options'][string]): string[] =>
  Array.isArray(given) ? given : typeof given === 'string' ? [given] : []
