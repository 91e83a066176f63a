/**
 * The errors that reach an operator, one class per cause; `exitCode` follows design section 4.
 * An error says what failed (`message`), the pasteable command and its last output, why, and what to do next.
 */
import type { Problem } from './types.ts'

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  gate: 3,
  unreachable: 4,
  locked: 5,
  stopped: 6,
  interrupted: 130,
} as const

export interface ErrorDetail {
  /** What the operator can do now: a command or one sentence. */
  next?: string
  /** The command that failed, as it can be pasted. */
  command?: string
  /** Last lines of its output, already redacted. */
  output?: string
  runbook?: string
  cause?: unknown
}

export class OperatorError extends Error {
  readonly exitCode: number
  readonly detail: ErrorDetail
  constructor(message: string, exitCode: number, detail: ErrorDetail = {}) {
    super(message, { cause: detail.cause })
    this.name = new.target.name
    this.exitCode = exitCode
    this.detail = detail
  }
}

/** A wrong argument, flag or name (exit 2). */
export class UsageError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.usage, detail)
  }
}

/** Something wrong in the repository or the machine's set-up (exit 2); carries every problem found in one pass. */
export class ConfigError extends OperatorError {
  readonly problems: Problem[]
  constructor(message: string, problems: Problem[] = [], detail?: ErrorDetail) {
    super(message, exitCodes.usage, detail)
    this.problems = problems
  }
}

/** A gate that does not hold, or a difference that was found (exit 3). */
export class GateError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.gate, detail)
  }
}

/** What the plan was based on has moved (exit 3). */
export class StaleError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.gate, detail)
  }
}

/** The cluster does not answer, or refuses us (exit 4). */
export class UnreachableError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.unreachable, detail)
  }
}

/** Another run holds the lock (exit 5). */
export class LockedError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.locked, detail)
  }
}

/** A tool failed (exit 1; the run turns it into 6 once something was changed). */
export class ToolError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.failed, detail)
  }
}

/** Ctrl-C or SIGTERM (exit 130, or 6 after a change). */
export class InterruptedError extends OperatorError {
  constructor(message: string, detail?: ErrorDetail) {
    super(message, exitCodes.interrupted, detail)
  }
}
