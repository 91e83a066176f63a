/**
 * Progress in a GitHub Actions log: a group for each step's output, annotations for what went wrong, and the report as step
 * summary. Limits: an annotation shows about 4 KB, a step summary holds 1 MiB (longer ones are refused as a whole).
 */
import { appendFileSync } from 'node:fs'
import type { Problem, RunEvent, RunResult } from '../types.ts'
import { problemsOf } from './error-text.ts'
import { newsOfWaits } from './plain-view.ts'
import { renderReport } from './result-text.ts'
import { describeSeconds } from './seconds.ts'
import type { View } from './view.ts'

const annotationLimit = 4_000
const summaryLimit = 1024 * 1024
/** GitHub shows ten annotations of a kind per step and drops the rest without a word. */
const annotationsShown = 10

/** @param env GITHUB_STEP_SUMMARY and GITHUB_OUTPUT name files that GitHub reads */
export function createGithubView(write: (line: string) => void, env: NodeJS.ProcessEnv): View {
  // Steps side by side would break each other's groups, so a step's lines are kept until it has ended.
  const kept = new Map<string, string[]>()
  const waits = newsOfWaits()
  const flush = (step: string, title: string) => {
    const lines = kept.get(step) ?? []
    kept.delete(step)
    if (lines.length === 0) return write(title)
    write(`::group::${title}`)
    // A line that looks like a workflow command must not be one.
    for (const line of lines) write(line.startsWith('::') ? ` ${line}` : line)
    write('::endgroup::')
  }
  const keep = (step: string, line: string) => kept.set(step, [...(kept.get(step) ?? []), line])

  const onEvent = (event: RunEvent): void => {
    switch (event.type) {
      case 'run-started':
        write(`run ${event.runId}: ${event.operation} of ${event.cluster}, ${event.steps.length} steps`)
        break
      case 'step-output':
        keep(event.step, event.line)
        break
      case 'step-waiting': {
        const text = waits(event)
        if (text !== undefined) keep(event.step, `${event.at.slice(11, 19)} waits for ${text}`)
        break
      }
      case 'step-skipped':
        flush(event.step, `skipped ${event.step}: ${event.reason}`)
        break
      case 'step-done':
        flush(event.step, `done ${event.step} (${describeSeconds(event.seconds)})`)
        break
      case 'step-failed':
        flush(event.step, `FAILED ${event.step} (${describeSeconds(event.seconds)})`)
        break
      case 'run-interrupted':
        write(`interrupted at ${event.step}${event.finishing ? ', which finishes first' : ''}`)
        break
      case 'run-note':
        write(annotation('warning', 'k8sops', event.text))
        break
      case 'run-finished':
        conclude(event.result)
        break
    }
  }
  const conclude = (result: RunResult) => {
    if (result.error) write(annotation('error', `${result.operation} of ${result.cluster}`, result.error.message))
    append(env.GITHUB_STEP_SUMMARY, cut(renderReport(result), summaryLimit))
    append(env.GITHUB_OUTPUT, `run-id=${result.runId}\noutcome=${result.outcome}\nexit-code=${result.exitCode}\n`)
  }
  return { onEvent, close: async () => {} }
}

/** `::error` lines for an error that ended a command: one for each problem with its file and line, else one for the error. */
export function annotateError(error: unknown): string[] {
  const problems = problemsOf(error)
  if (problems.length === 0)
    return [annotation('error', 'k8sops', error instanceof Error ? error.message : String(error))]
  const shown = problems.slice(0, annotationsShown - 1).map(problemAnnotation)
  const rest = problems.length - shown.length
  if (rest === 0) return shown
  if (rest === 1) return problems.map(problemAnnotation)
  return [...shown, annotation('error', 'k8sops', `and ${rest} more problems: see the log`)]
}

function problemAnnotation({ file, line, message }: Problem): string {
  return `::error file=${property(file)},line=${line}::${data(cut(message, annotationLimit))}`
}

function annotation(kind: 'error' | 'warning', title: string, message: string): string {
  return `::${kind} title=${property(title)}::${data(cut(message, annotationLimit))}`
}

/** Escapes of the workflow command syntax (actions/toolkit, command.ts). */
const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')

/** At most `limit` bytes of UTF-8, on a character's edge, with a word that something is missing. */
export function cut(text: string, limit: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= limit) return text
  const note = '\n… (cut; the whole text is in the log)\n'
  let end = limit - Buffer.byteLength(note)
  // Bytes 10xxxxxx continue a character.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end).toString() + note
}

function append(file: string | undefined, text: string): void {
  if (file) appendFileSync(file, text)
}
