/** What a step's failure says: which class of error, the command, what it printed, what is still open. */
import { ConfigError, GateError, InterruptedError, OperatorError, ToolError, UnreachableError } from '../errors.ts'
import { describeCheck } from '../exec/render.ts'
import type { ExecResult } from '../exec/types.ts'
import type { Check, Step, Verdict } from '../types.ts'

export type ExecAction = Extract<Step['action'], { kind: 'exec' }>

export function toolError(step: Step, action: ExecAction, result: ExecResult, retried: boolean): ToolError {
  const tools = action.pipeline.map(({ tool }) => tool).join(' | ')
  const how =
    result.ended === 'timeout'
      ? `was ended after ${step.timeoutSec} s, its time limit`
      : result.ended === 'stalled'
        ? `has printed nothing for ${action.stall?.afterSec} s, ${action.stall?.attempts} times`
        : result.ended === 'killed'
          ? 'was killed by somebody else'
          : `failed with exit code ${result.exitCode}${retried ? `, again and again for ${step.timeoutSec} s` : ''}`
  return new ToolError(`${step.title}: ${tools} ${how}`, {
    command: result.line,
    output: result.tail.join('\n'),
    ...(step.runbook ? { runbook: step.runbook } : {}),
  })
}

/** One that was ended in silence stands beside what the try before it had said. */
export function said(result: ExecResult, before: ExecResult | undefined): ExecResult {
  return result.tail.length === 0 && before ? { ...result, tail: before.tail } : result
}

/** @param result of the tool that was at work, or had failed and was about to be asked again */
export function interrupted(step: Step, result?: ExecResult): InterruptedError {
  return new InterruptedError(`${step.title}: interrupted`, {
    ...(result ? { command: result.line } : {}),
    ...(result && result.tail.length > 0 ? { output: result.tail.join('\n') } : {}),
  })
}

/** Wrong files (2) come before an absent cluster (4), and that before a gate that simply does not hold (3). */
export function gateError(
  step: Step,
  checks: Check[],
  verdicts: Verdict[],
  how: string,
  accepted?: ExecResult,
): OperatorError {
  const open = verdicts.flatMap((verdict, index) =>
    verdict.status === 'pass' ? [] : [{ verdict, check: checks[index]! }],
  )
  const lines = open.flatMap(({ check, verdict }) => {
    const waitingFor = verdict.waitingFor ?? []
    // One line of it is what the detail says already.
    return [
      `${describeCheck(check)}: ${verdict.detail}`,
      ...(waitingFor.length > 1 ? waitingFor.map((line) => `  ${line}`) : []),
    ]
  })
  const next = new Set(open.map(({ verdict }) => verdict.next).filter((line) => line !== undefined))
  const detail = {
    ...(accepted ? { command: accepted.line } : {}),
    output: [...(accepted?.tail ?? []), ...lines].join('\n'),
    ...(next.size > 0 ? { next: [...next].join('\n') } : {}),
    ...(step.runbook ? { runbook: step.runbook } : {}),
  }
  const late = open.every(({ verdict }) => !verdict.final) ? `; ${step.timeoutSec} s were not enough` : ''
  const reasons = open.map(({ verdict }) => verdict.detail).join('; ')
  const message = `${step.title}: ${how}${reasons.length > 200 ? `${reasons.slice(0, 199)}…` : reasons}${late}`
  const causes = open.map(({ verdict }) => verdict.cause)
  const problems = open.flatMap(({ verdict }) => verdict.problems ?? [])
  if (causes.includes('configuration')) return new ConfigError(message, problems, detail)
  if (causes.every((cause) => cause === 'unreachable')) return new UnreachableError(message, detail)
  return new GateError(message, detail)
}

/** Not one of ours: a defect, told as such. */
export function unexpected(step: Step, thrown: unknown): OperatorError {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new OperatorError(`${step.title}: ${message}`, 1, { cause: thrown })
}
