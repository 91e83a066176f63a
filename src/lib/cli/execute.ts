/** Carries out a write: plan, preview or question, run with a view, result, report. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Surroundings } from '../engine/start.ts'
import { ConfigError, OperatorError, UsageError } from '../errors.ts'
import type { Plan, RunResult } from '../types.ts'
import { refuseForeignContext } from './cluster-choice.ts'
import type { ClusterContext, Contexts } from './context.ts'
import type { RunCommand, RunSource, WriteCommand } from './define.ts'
import { parseDurationSec } from './duration.ts'
import type { OptionValues } from './options.ts'
import type { Output } from './output.ts'
import type { Invocation } from './services.ts'

export interface WriteRequest {
  spec: WriteCommand | RunCommand
  contexts: Contexts
  options: OptionValues
  invocation: Invocation
  output: Output
  interrupts: Surroundings['interrupts']
}

/** Returns the exit code; throws what stopped it before a run began. */
export async function executeWrite(request: WriteRequest): Promise<number> {
  const { spec, contexts, options, output } = request
  const timeoutSec = typeof options.timeout === 'string' ? parseDurationSec(options.timeout) : undefined
  const source: RunSource =
    spec.effect === 'run' ? await spec.source(contexts.context) : { plan: await spec.plan(contexts.context) }
  const plan = 'stored' in source ? source.stored.plan : source.plan
  const cluster = await contexts.openCluster(plan.cluster)
  const around = await surroundingsOf(cluster, request)

  if (typeof options.planOut === 'string')
    writeFileSync(resolve(request.invocation.cwd, options.planOut), `${JSON.stringify(plan, null, 2)}\n`)
  if (options.dryRun === true || typeof options.planOut === 'string') {
    await output.plan(plan, around)
    return 0
  }

  refuseUnfit(plan, cluster, around.server)
  if (spec.effect === 'write') await confirm(request, spec.confirm?.(plan), spec.confirmName?.(plan))
  await output.surroundings(plan, around)
  const result = await run(source, cluster, request, timeoutSec)
  await output.result(result)
  if (typeof options.report === 'string') await output.report(result, resolve(request.invocation.cwd, options.report))
  return result.exitCode
}

async function surroundingsOf({ opened }: ClusterContext, request: WriteRequest) {
  const { cluster, target } = opened
  return {
    root: target.root,
    context: target.context,
    server: await request.invocation.services.contextServer(target.kubeconfig, target.context),
    talosEndpoints: cluster.nodes.map(({ address }) => address),
  }
}

/** What a preview may show but a run may not start with. */
function refuseUnfit(plan: Plan, { opened }: ClusterContext, server: string | undefined): void {
  const { cluster, target } = opened
  // A plan with a gate for it reports the marks together with everything else that is wrong.
  const gated = plan.steps.some(({ require = [] }) => require.some(({ gate }) => gate === 'no-confirm-left'))
  if (cluster.confirm.length > 0 && !gated)
    throw new ConfigError(
      `${cluster.confirm.length} facts of cluster ${cluster.name} are not confirmed yet`,
      cluster.confirm,
      { next: 'look each of them up, correct it if need be, and remove its `# CONFIRM:` mark' },
    )
  refuseForeignContext(cluster, target.context, server)
}

/** Destructive verbs name their target in a question; nobody there to answer means no. */
async function confirm(request: WriteRequest, question: string | undefined, name: string | undefined): Promise<void> {
  if (question === undefined) return
  if (name !== undefined) return confirmName(request, question, name)
  if (request.options.yes === true) return
  const { stdin, stderr } = request.invocation
  if (stdin.isTTY !== true || stderr.isTTY !== true)
    throw new UsageError(`${question} There is no terminal to ask on`, { next: 'add --yes if that is what you want' })
  const { askYesNo } = await import('./ask.ts')
  if (!(await askYesNo(question, stdin, stderr, request.interrupts.stop)))
    throw new UsageError('not confirmed; nothing was changed')
}

/** A y is typed without reading; a name is not. */
async function confirmName(request: WriteRequest, question: string, name: string): Promise<void> {
  const { stdin, stderr } = request.invocation
  const { confirm: given } = request.options
  if (given === name) return
  if (given !== undefined) throw new UsageError(`${question} --confirm says ${String(given)}, not ${name}`)
  if (stdin.isTTY !== true || stderr.isTTY !== true)
    throw new UsageError(`${question} There is no terminal to ask on`, {
      next: `add --confirm ${name} if that is what you want`,
    })
  const { askLine } = await import('./ask.ts')
  const answer = await askLine(`${question} Type ${name} to go on:`, stdin, stderr, request.interrupts.stop)
  if (answer !== name) throw new UsageError('not confirmed; nothing was changed')
}

async function run(
  source: RunSource,
  cluster: ClusterContext,
  request: WriteRequest,
  timeoutSec: number | undefined,
): Promise<RunResult> {
  const { invocation, output, interrupts } = request
  const { services } = invocation
  const { resumeRun, startRun } = await import('../engine/start.ts')
  const view = await output.openView()
  // Loading is asynchronous, the engine's use of it is not: everything is there before the lock is taken.
  const [gates, lease, processes, silences] = await Promise.all([
    cluster.gates(),
    cluster.lease(),
    services.processes(),
    services.silences(cluster.opened),
  ])
  const execs = new Map<string, Awaited<ReturnType<ClusterContext['exec']>>>()
  const around: Surroundings = {
    target: cluster.opened.target,
    execFor: (runId) => async (exec) => {
      const known = execs.get(runId) ?? (await cluster.exec(runId))
      execs.set(runId, known)
      return known(exec)
    },
    gates,
    lease,
    ...(silences ? { silences } : {}),
    processes,
    interrupts,
    emit: view.onEvent,
    basis: services.basis(cluster.opened),
    ...(timeoutSec === undefined ? {} : { timeoutSec }),
    resumeCommand: (runId) => resumeCommand(runId, cluster.opened.cluster.name, request),
  }
  try {
    if ('stored' in source) return await resumeRun(source.stored, around)
    return await startRun(source.plan, around, { checkBasis: request.spec.effect === 'run' })
  } catch (error) {
    throw error instanceof OperatorError && request.spec.runbook
      ? Object.assign(error, { detail: { runbook: request.spec.runbook, ...error.detail } })
      : error
  } finally {
    await view.close()
  }
}

/** Can be pasted from where this command was given. */
function resumeCommand(runId: string, cluster: string, { options }: WriteRequest): string {
  return [
    `k8sops run resume ${runId} --cluster ${cluster}`,
    ...(options.lab === true ? ['--lab'] : []),
    ...(typeof options.labName === 'string' ? [`--lab-name ${options.labName}`] : []),
    ...(typeof options.repo === 'string' ? [`--repo ${options.repo}`] : []),
  ].join(' ')
}
