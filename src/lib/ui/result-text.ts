/** A finished run for people: the timeline, and how to go on. */
import type { RunResult, StepResult } from '../types.ts'
import type { Colours } from './colours.ts'
import { describeSeconds } from './seconds.ts'
import { renderTable } from './table.ts'

const marks: Record<StepResult['state'], string> = {
  done: '✔',
  skipped: '·',
  failed: '✗',
  interrupted: '!',
  'not-started': ' ',
}

export function renderResult(result: RunResult, colours: Colours, maxWidth?: number): string {
  const begun = Date.parse(result.startedAt)
  const rows = result.steps.map((step) => [
    `${marks[step.state]} ${step.id}`,
    step.state,
    step.startedAt ? `+${describeSeconds((Date.parse(step.startedAt) - begun) / 1000)}` : '',
    step.seconds === undefined ? '' : describeSeconds(step.seconds),
    step.waitedSec === undefined ? '' : describeSeconds(step.waitedSec),
    note(step),
  ])
  const head = `${result.operation} of ${result.cluster}: ${result.outcome} in ${describeSeconds(result.seconds)}  (${counts(result)})`
  const colour = result.outcome === 'succeeded' ? colours.green : colours.red
  return [
    renderTable(['step', 'state', 'start', 'took', 'waited', 'note'], rows, maxWidth),
    '',
    colour(head),
    ...targetLine(result),
    ...(result.resume ? [`go on with: ${colours.bold(result.resume)}`] : []),
  ].join('\n')
}

/** The run against the time that the requirements give it; only a whole run says something about that. */
function targetLine({ outcome, seconds, targetSec }: RunResult): string[] {
  if (targetSec === undefined || outcome !== 'succeeded') return []
  const share = Math.round((100 * seconds) / targetSec)
  return [`target ${describeSeconds(targetSec)}: ${seconds <= targetSec ? 'met' : 'missed'}, ${share} % of it used`]
}

/** What stopped a run, with command, output and what to do, as renderError shows an error. */
export function renderFailure(error: NonNullable<RunResult['error']>, colours: Colours): string {
  const [first = '', ...rest] = error.message.split('\n')
  return [
    `${colours.red('error:')} ${first}`,
    ...rest.map((line) => `  ${line}`),
    ...(error.next ? [`  ${colours.bold('next:')} ${error.next.replaceAll('\n', '\n        ')}`] : []),
  ].join('\n')
}

/** `9 done, 3 skipped` */
export function counts(result: RunResult): string {
  const states = Object.keys(marks) as StepResult['state'][]
  return states
    .map((state) => ({ state, count: result.steps.filter((step) => step.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`)
    .join(', ')
}

function note(step: StepResult): string {
  if (step.reason) return step.reason.split('\n')[0] ?? ''
  const waited = step.waitedFor ?? []
  return waited.length > 0 ? `waited for ${waited[0]}${waited.length > 1 ? ` and ${waited.length - 1} more` : ''}` : ''
}

/** The report that is kept: Markdown, for --report FILE.md and GitHub's step summary. */
export function renderReport(result: RunResult): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ')
  const rows = result.steps.map((step) =>
    [
      `\`${step.id}\``,
      step.state,
      step.startedAt?.slice(11, 19) ?? '',
      step.seconds === undefined ? '' : String(step.seconds),
      step.waitedSec === undefined ? '' : String(step.waitedSec),
      cell(step.reason ?? (step.waitedFor ?? []).join('; ')),
    ].join(' | '),
  )
  return [
    `# ${result.operation} of ${result.cluster}: ${result.outcome}`,
    '',
    `Run \`${result.runId}\` began ${result.startedAt}, took ${describeSeconds(result.seconds)} (${result.seconds} s): ${counts(result)}.`,
    ...targetLine(result).flatMap((line) => ['', line]),
    '',
    '| step | state | start (UTC) | seconds | of them waited | what for, or why |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row} |`),
    ...(result.error ? ['', '## Why it stopped', '', '```', result.error.message, '```'] : []),
    ...(result.error?.next ? ['', result.error.next] : []),
    ...(result.resume ? ['', `Go on with \`${result.resume}\`.`] : []),
    '',
  ].join('\n')
}
