/** Does one step that changes only files of this machine: no plan, no lock, no journal, but the same checks before and after. */
import type { GatePort } from '../engine/ports.ts'
import { ConfigError, GateError, type OperatorError, ToolError } from '../errors.ts'
import type { Exec } from '../exec/types.ts'
import type { Check, Step, Verdict } from '../types.ts'

export interface LocalPorts {
  gates: GatePort
  exec: Exec
  signal: AbortSignal
  note: (text: string) => void
}

/**
 * @returns false when it was already done
 * @throws ConfigError or GateError for a check that does not hold, ToolError for a tool that fails
 */
export async function runLocalStep(step: Step, ports: LocalPorts): Promise<boolean> {
  const look = (checks: Check[] = []) => Promise.all(checks.map((check) => ports.gates.evaluate(check, ports.signal)))
  const already = await look(step.unless)
  if (already.length > 0 && already.every(({ status }) => status === 'pass')) {
    ports.note(`nothing to do: ${already.map(({ detail }) => detail).join('; ')}`)
    return false
  }
  refuse(step, await look(step.require))
  if (step.action.kind === 'exec') {
    const { pipeline } = step.action
    const result = await ports.exec({ pipeline, timeoutSec: step.timeoutSec, signal: ports.signal, step: step.id })
    if (result.exitCode !== 0) {
      throw new ToolError(`${step.title}: ${result.ended ?? `exit code ${result.exitCode}`}`, {
        command: result.line,
        output: result.tail.join('\n'),
        ...(step.runbook ? { runbook: step.runbook } : {}),
      })
    }
  }
  refuse(step, await look(step.verify))
  return true
}

/** One error for all verdicts that don't hold. */
export function errorOf(title: string, verdicts: Verdict[], runbook?: string): OperatorError | undefined {
  const open = verdicts.flatMap((verdict) => (verdict.status === 'pass' ? [] : [verdict]))
  if (open.length === 0) return undefined
  const next = [...new Set(open.flatMap((verdict) => verdict.next ?? []))].join('\n')
  const detail = {
    // What is listed as a problem with file and line isn't said twice.
    output: [...new Set(open.flatMap((verdict) => (verdict.problems?.length ? [] : [verdict.detail])))].join('\n'),
    ...(next ? { next } : {}),
    ...(runbook ? { runbook } : {}),
  }
  if (!open.some(({ cause }) => cause === 'configuration')) return new GateError(title, detail)
  const problems = open.flatMap((verdict) => verdict.problems ?? [])
  return new ConfigError(title, problems, detail)
}

function refuse(step: Step, verdicts: Verdict[]): void {
  const error = errorOf(`${step.title}: refused`, verdicts, step.runbook)
  if (error) throw error
}
