/** What `talos upgrade` looks at before it plans, and what it refuses before anything is touched. */

import { type CommandContext, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { sourceChoice } from '../../lib/cli/source-options.ts'
import { storedRuns } from '../../lib/cli/stored-runs.ts'
import { isResumable } from '../../lib/engine/runs.ts'
import { type OperatorError, UnreachableError, UsageError } from '../../lib/errors.ts'
import { observeBasis } from '../../lib/ops/basis.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { snapshotFile } from '../../lib/ops/etcd-snapshot.ts'
import { errorOf } from '../../lib/ops/local-step.ts'
import { type MachineView, observeMachineViews } from '../../lib/ops/machine-observe.ts'
import { machineRunbook, operationToken } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { upgradePreflight } from '../../lib/ops/upgrade.ts'
import type { RunningSystem, UpgradeInput, UpgradeNode, UpgradeParams } from '../../lib/ops/upgrade-input.ts'
import { isAtTarget } from '../../lib/ops/upgrade-input.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import type { Basis, Json, Verdict } from '../../lib/types.ts'
import { nodeTargets } from './node-targets.ts'
import { observeSoak } from './soak.ts'

/**
 * What every node runs and shall run, from the machines and from Git.
 * @throws UsageError for options that can't be
 */
export async function observeNodes(context: CommandContext): Promise<UpgradeInput> {
  const { options, signal } = context
  const params = await paramsOf(context)
  const [cluster, target, talos] = await Promise.all([context.cluster(), context.target(), context.talos()])
  const chosen = chosenNodes(cluster, options.node)
  const nodes = chosen.length > 0 ? chosen : cluster.nodes
  const [targets, views, etcd, { ageKey, upgrade }] = await Promise.all([
    nodeTargets(context, nodes, params.to),
    observeMachineViews(talos, nodes, signal),
    observeEtcd(talos, cluster, signal),
    context.repository(),
  ])
  const leader = etcd.members.find(({ role }) => role === 'leader')?.name
  return {
    cluster,
    target,
    ageKey,
    ...(upgrade.window && options.now !== true ? { window: upgrade.window } : {}),
    nodes: views.map((view) => ({
      node: view.node,
      target: targets[view.node.hostname]!,
      runs: runningSystem(view),
    })),
    ...(leader === undefined ? {} : { leader }),
    operation: operationToken('talos.upgrade', new Date()),
    ...(cluster.alertmanager && options.silence !== false
      ? { silence: { matchers: cluster.alertmanager.matchers } }
      : {}),
    snapshotFile: snapshotFile(target.snapshotDir, cluster.name, new Date()),
    params: { ...params, ...(chosen.length > 0 ? { nodes: chosen.map(({ hostname }) => hostname) } : {}) },
  }
}

/**
 * The same with the plan's basis, and everything that is in the way refused at once.
 * @throws UsageError, ConfigError (exit 2), GateError (exit 3), UnreachableError (exit 4); none of the last three in a preview
 */
export async function observeUpgrade(context: CommandContext): Promise<{ input: UpgradeInput; basis: Basis }> {
  const { options, signal } = context
  const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
  const [input, { basis, requireSource }, gates] = await Promise.all([
    observeNodes(context),
    observeBasis(exec, cluster, target, {
      ...sourceChoice(context),
      tools: pinnedVersions('bootstrap'),
    }),
    context.gates(),
  ])
  const version = input.params.to ?? cluster.talosVersion
  const newVersion = input.nodes.some(({ runs }) => runs === 'unknown' || runs.version !== version)
  const soak = newVersion ? await observeSoak(context, 'talos', version) : undefined
  const checks = upgradePreflight(input)
  const verdicts = await gates.evaluateAll(checks, signal)
  if (options.dryRun !== true && options.planOut === undefined) {
    const refusal = errorOf(`cluster ${cluster.name} can't be upgraded now`, verdicts, machineRunbook)
    // What is only just being looked at by its controller is waited for by the run's first step, which asks all of it again.
    const settling = verdicts.every((verdict) => verdict.status === 'pass' || verdict.settling)
    if (refusal && !settling) throw await withUnfinished(context, refusal)
    requireObserved(input)
    soak?.require()
    requireSource()
  }
  const observed = {
    ...basis.observed,
    runs: Object.fromEntries(input.nodes.map((one) => [one.node.hostname, runsText(one)])),
    etcdLeader: input.leader ?? 'unknown',
    ...(soak ? { soak: soak.fact } : {}),
    preflight: preflightFacts(checks, verdicts),
  }
  const params = { ...input.params, ...(soak?.now === undefined ? {} : { now: soak.now }) }
  return { input: { ...input, params }, basis: { ...basis, observed } }
}

/** A node that an earlier run left out is a reason to refuse, and going on with that run is most often what is wanted. */
async function withUnfinished(context: CommandContext, refusal: OperatorError): Promise<OperatorError> {
  const { name } = await context.cluster()
  const [newest] = (await storedRuns(context)).filter(({ plan }) => plan.cluster === name)
  if (newest?.plan.operation !== 'talos.upgrade' || !isResumable(newest)) return refusal
  const next = `an upgrade was left unfinished, go on with it: k8sops run resume ${newest.id}`
  const more = refusal.detail.next === undefined ? [] : [refusal.detail.next]
  return Object.assign(refusal, { detail: { ...refusal.detail, next: [next, ...more].join('\n') } })
}

/** @throws UsageError with everything that is wrong with the options */
async function paramsOf(context: CommandContext): Promise<UpgradeParams> {
  const { options } = context
  const to = textOption(options.to)
  const maxUnavailable = Number(options.maxUnavailable)
  const wrong = [
    ...(to === undefined || /^v\d+\.\d+\.\d+$/.test(to) ? [] : [`--to ${to}: expected a release like v1.12.11`]),
    ...(Number.isInteger(maxUnavailable) && maxUnavailable > 0
      ? []
      : [`--max-unavailable ${String(options.maxUnavailable)}: expected a number of workers, 1 or more`]),
  ]
  if (wrong.length > 0) throw new UsageError(wrong.join('; '))
  const duration = (value: CommandContext['options'][string]) => parseDurationSec(String(value))
  return {
    ...(to === undefined ? {} : { to }),
    order: (await context.repository()).upgrade.order,
    maxUnavailable,
    stage: options.stage === true,
    rebootMode: options.rebootMode === 'powercycle' ? 'powercycle' : 'default',
    downgrade: options.downgrade === true,
    drainTimeoutSec: duration(options.drainTimeout),
    upgradeTimeoutSec: duration(options.upgradeTimeout),
    settleTimeoutSec: duration(options.settleTimeout),
  }
}

/** A plan that can't tell a rollback from a restart is not carried out. */
function requireObserved({ nodes }: UpgradeInput): void {
  const unknown = nodes.filter(({ runs }) => runs === 'unknown').map(({ node }) => node.hostname)
  if (unknown.length === 0) return
  throw new UnreachableError(`what ${unknown.join(', ')} runs could not be read`, { runbook: machineRunbook })
}

function runningSystem({ talos, schematic, bootId }: MachineView): RunningSystem | 'unknown' {
  if (talos === null || schematic === null || bootId === null) return 'unknown'
  return { version: talos, schematic, bootId }
}

function runsText(one: UpgradeNode): string {
  if (one.runs === 'unknown') return 'unknown'
  return isAtTarget(one) ? `${one.runs.version} (at the target)` : one.runs.version
}

/** What passed is only counted; the rest says why. */
function preflightFacts(checks: { gate: string }[], verdicts: Verdict[]): Record<string, Json> {
  const open = checks.flatMap(({ gate }, index): [string, Json][] => {
    const verdict = verdicts[index]
    if (verdict?.status === 'pass') return []
    return [[gate, verdict?.status === 'fail' ? verdict.detail : 'unknown']]
  })
  return { passed: `${checks.length - open.length} of ${checks.length}`, ...Object.fromEntries(open) }
}
