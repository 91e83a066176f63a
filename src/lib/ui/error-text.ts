/** An error for people: what failed, the command and its last output, every problem, what to do next. */
import { OperatorError } from '../errors.ts'
import type { Json, Problem } from '../types.ts'
import type { Colours } from './colours.ts'

export function problemsOf(error: unknown): Problem[] {
  return error instanceof OperatorError && 'problems' in error ? (error.problems as Problem[]) : []
}

export function renderError(error: unknown, colours: Colours): string {
  if (!(error instanceof OperatorError)) return renderBug(error, colours)
  const { command, output, next, runbook } = error.detail
  return [
    `${colours.red('error:')} ${error.message}`,
    ...problemsOf(error).map(({ file, line, message }) => `  ${file}:${line}: ${message}`),
    ...(command ? [`  $ ${command}`] : []),
    ...(output ? indent(output) : []),
    ...(next ? indent(next, `${colours.bold('next:')} `) : []),
    ...(runbook ? [`  runbook: ${runbook}`] : []),
  ].join('\n')
}

/** Not one of ours: a defect of this program, so the stack is what helps. */
function renderBug(error: unknown, colours: Colours): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return `${colours.red('internal error:')} ${text}`
}

const indent = (text: string, first = '') =>
  text.split('\n').map((line, index) => `  ${index === 0 ? first : ' '.repeat(first === '' ? 0 : 6)}${line}`)

/** The same as data, for -o json. */
export function errorData(error: unknown): { [key: string]: Json } {
  const known = error instanceof OperatorError
  const { command, output, next, runbook } = known ? error.detail : {}
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: 'Error',
    name: error instanceof Error ? error.name : 'Error',
    message: error instanceof Error ? error.message : String(error),
    exitCode: known ? error.exitCode : 1,
    problems: problemsOf(error).map(({ file, line, message }) => ({ file, line, message })),
    ...(command ? { command } : {}),
    ...(output ? { output } : {}),
    ...(next ? { next } : {}),
    ...(runbook ? { runbook } : {}),
  }
}
