/** What --dry-run prints. A reviewer sees every change of behaviour as a difference of this text (test/golden). */
import { describeCheck, shellLine } from '../exec/render.ts'
import type { Check, Json, Plan, Step } from '../types.ts'
import type { Colours } from './colours.ts'
import { describeSeconds } from './seconds.ts'

export interface PlanSurroundings {
  /** Where the commands can be pasted. */
  root: string
  context: string
  /** API server of that context, if the kubeconfig has it already. */
  server: string | undefined
  /** Addresses of all machines. */
  talosEndpoints: string[]
}

export function renderPlan(plan: Plan, around: PlanSurroundings, colours: Colours): string {
  const count = plan.steps.length
  const width = String(count).length
  return [
    `${colours.bold(plan.operation)}  cluster ${colours.bold(plan.cluster)}  ${count} step${count === 1 ? '' : 's'}`,
    ...renderHeader(plan, around, colours),
    ...plan.steps.flatMap((step, index) => ['', ...renderStep(step, String(index + 1).padStart(width), colours)]),
  ].join('\n')
}

/** Cluster, context and endpoints: also what is printed before anything is written. */
export function renderSurroundings(around: PlanSurroundings): string[] {
  return [
    field('context', `${around.context}  ${around.server ?? '(not in the kubeconfig yet)'}`),
    field('talos', around.talosEndpoints.join(' ')),
    field('run in', around.root),
  ]
}

function renderHeader(plan: Plan, around: PlanSurroundings, colours: Colours): string[] {
  const { basis } = plan
  const params = Object.entries(plan.params).map(([name, value]) => `${name}=${brief(value)}`)
  const unknown = unknowns(basis.observed)
  return [
    ...renderSurroundings(around),
    ...(params.length > 0 ? [field('with', params.join('  '))] : []),
    ...(plan.silence ? [field('silences', `alerts with ${plan.silence.matchers.join(', ')}, while it runs`)] : []),
    field('basis', `commit ${basis.commit.slice(0, 12)}  digest ${basis.digest.slice(0, 19)}`),
    ...Object.entries(basis.observed).map(([name, value], index) =>
      field(index === 0 ? 'observed' : '', `${name}: ${brief(value)}`),
    ),
    ...(unknown.length > 0
      ? [colours.yellow(field('unknown', `${unknown.join(', ')} (could not be observed; no gate passes on it)`))]
      : []),
  ]
}

function renderStep(step: Step, number: string, colours: Colours): string[] {
  const policy = step.interrupt === 'after' ? 'Ctrl-C: finishes first' : 'Ctrl-C: ends it'
  const always = step.always ? '  whatever happens' : ''
  const beside = step.group ? `  side by side: ${step.group}` : ''
  const { retry, accept, stall } = step.action.kind === 'exec' ? step.action : {}
  const lines = [
    ...gates('unless', step.unless),
    ...(step.skipWith ? [`with     ${step.skipWith}, when its unless holds`] : []),
    ...gates(step.unless ? 'or' : 'unless', step.orUnless),
    ...gates('begun', step.onceBegun),
    ...gates('require', step.require),
    ...(step.action.kind === 'exec' ? [colours.cyan(`$ ${shellLine(step.action.pipeline)}`)] : []),
    ...(retry ? [`again every ${describeSeconds(retry.everySec)} while it says ${someOf(retry.while)}`] : []),
    ...(stall
      ? [`silent for ${describeSeconds(stall.afterSec)}: ended and started again, ${stall.attempts} starts in all`]
      : []),
    ...(accept ? [`done already if it says ${someOf(accept)}: verify decides`] : []),
    ...gates(step.action.kind === 'wait' ? 'wait for' : 'verify', step.verify),
    colours.dim(
      `${policy}  at most ${describeSeconds(step.timeoutSec)}${beside}${always}${step.runbook ? `  ${step.runbook}` : ''}`,
    ),
  ]
  const indent = ' '.repeat(number.length + 4)
  return [`  ${number}  ${colours.bold(step.id)}  ${step.title}`, ...lines.map((line) => `${indent}${line}`)]
}

function gates(label: string, checks: Check[] | undefined): string[] {
  return (checks ?? []).map((check, index) => `${(index === 0 ? label : '').padEnd(8)} ${describeCheck(check)}`)
}

/** Patterns of tool output; of many only the first two, the plan's JSON has all. */
function someOf(patterns: string[]): string {
  const shown = patterns.slice(0, 2).map((source) => `/${source}/`)
  return [...shown, ...(patterns.length > 2 ? [`${patterns.length - 2} more like these`] : [])].join(' or ')
}

const field = (name: string, value: string) => `  ${name.padEnd(9)} ${value}`

function brief(value: Json): string {
  if (typeof value === 'string') return value
  if (value === null || typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(brief).join(', ') || 'none'
  return (
    Object.entries(value)
      .map(([name, inner]) => `${name}=${brief(inner)}`)
      .join('  ') || 'none'
  )
}

/** Names of everything in `observed` that stands as the string `unknown`, with dots for depth. */
export function unknowns(observed: { [name: string]: Json }): string[] {
  return Object.entries(observed).flatMap(([name, value]) => {
    if (value === 'unknown') return [name]
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return []
    return unknowns(value).map((inner) => `${name}.${inner}`)
  })
}
