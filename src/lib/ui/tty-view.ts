/**
 * Progress on a terminal: listr2 draws what the engine reports. Its tasks do nothing but wait for events, and its signal
 * handling is off: on SIGINT listr2 would exit the process over a step that has to finish.
 *
 * One list for each step (or group of steps side by side), begun when it begins: a finished one scrolls away like any other
 * output. A single list of all steps would be higher than most terminals, and log-update can't redraw what has scrolled out.
 */
import { Listr, ListrLogger, ProcessOutput } from 'listr2'
import type { RunEvent, StepResult } from '../types.ts'
import type { Colours } from './colours.ts'
import { describeSeconds } from './seconds.ts'
import type { View } from './view.ts'

/** The part of a listr2 task that is drawn on. */
interface Row {
  title: string
  output: string
  skip: (message: string) => void
}
interface End {
  state: Exclude<StepResult['state'], 'interrupted'>
  text: string
}
type TerminalStream = NodeJS.WritableStream & { rows?: number }
type Started = Extract<RunEvent, { type: 'run-started' }>

interface Line {
  title: string
  batch: Batch
  row?: Row
  /** What stands below the title now. */
  below: string
  settle: (end: End) => void
  settled: Promise<End>
}
interface Batch {
  lines: Line[]
  begun: boolean
}

const finishing = 'interrupted: this step finishes first; Ctrl-C once more ends everything now'
const ending = 'interrupted: ending this step'

/** Rows of the terminal that the table of what is waited for leaves free. */
const reservedRows = 10

export function createTtyView(stream: TerminalStream, colours: Colours): View {
  const notes = new Set<string>()
  const lines = new Map<string, Line>()
  let drawing: Promise<unknown> = Promise.resolve()

  const begin = (event: Started) => {
    const width = String(event.steps.length).length
    let last: { group: string | undefined; batch: Batch } | undefined
    for (const [index, { id, title, group }] of event.steps.entries()) {
      if (!last || group === undefined || last.group !== group) last = { group, batch: { lines: [], begun: false } }
      const { promise, resolve } = Promise.withResolvers<End>()
      const number = colours.dim(`${String(index + 1).padStart(width)}/${event.steps.length}`)
      const line: Line = {
        title: `${number} ${id}  ${colours.dim(title)}`,
        batch: last.batch,
        below: '',
        settle: resolve,
        settled: promise,
      }
      last.batch.lines.push(line)
      lines.set(id, line)
    }
    stream.write(`${colours.bold(event.operation)} of ${colours.bold(event.cluster)}  ${colours.dim(event.runId)}\n`)
  }
  const show = (batch: Batch) => {
    if (batch.begun) return
    batch.begun = true
    drawing = drawing.then(() => draw(batch, stream)).catch(() => {})
  }
  const below = (step: string, text: string) => {
    const line = lines.get(step)
    if (!line) return
    line.below = text
    if (line.row) line.row.output = text
  }

  const onEvent = (event: RunEvent): void => {
    const line = 'step' in event ? lines.get(event.step) : undefined
    switch (event.type) {
      case 'run-started':
        begin(event)
        break
      case 'step-started':
        if (line) show(line.batch)
        break
      case 'step-output':
        below(event.step, event.line)
        break
      case 'step-waiting':
        below(event.step, waitingTable(event.waitingFor, (stream.rows ?? 24) - reservedRows))
        break
      case 'step-skipped':
        line?.settle({ state: 'skipped', text: event.reason })
        break
      case 'step-done':
        line?.settle({ state: 'done', text: describeSeconds(event.seconds) })
        break
      case 'step-failed':
        line?.settle({ state: 'failed', text: event.message })
        break
      case 'run-interrupted':
        below(event.step, event.finishing ? finishing : ending)
        break
      case 'run-note':
        notes.add(event.text)
        break
    }
  }

  return {
    onEvent,
    close: () => {
      for (const line of lines.values()) line.settle({ state: 'not-started', text: 'not started' })
      // The drawing owns the lines above until it is over.
      return drawing.then(() => void stream.write([...notes].map((text) => `${text}\n`).join('')))
    },
  }
}

function draw(batch: Batch, stream: TerminalStream): Promise<unknown> {
  const list = new Listr(
    batch.lines.map((line) => ({
      title: line.title,
      rendererOptions: { outputBar: 1, persistentOutput: false },
      task: async (_: unknown, task: Row) => {
        line.row = task
        if (line.below !== '') task.output = line.below
        const end = await line.settled
        task.title = end.state === 'done' ? `${line.title}  ${end.text}` : line.title
        if (end.state === 'failed') throw new Error(`${line.title}: ${end.text}`)
        if (end.state !== 'done') task.skip(`${line.title}  [${end.text}]`)
      },
    })),
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      // We are on a terminal, whatever stdout is.
      forceTTY: true,
      rendererOptions: {
        // The list belongs on stderr as a whole; stdout is for data.
        logger: new ListrLogger({
          useIcons: true,
          processOutput: new ProcessOutput(stream as NodeJS.WriteStream, stream as NodeJS.WriteStream, {
            leaveEmptyLine: false,
          }),
        }),
        collapseErrors: true,
        formatOutput: 'truncate',
      },
    } as ConstructorParameters<typeof Listr>[1],
  )
  return list.run()
}

function waitingTable(waitingFor: string[], rows: number): string {
  const shown = waitingFor.slice(0, Math.max(rows, 3))
  const rest = waitingFor.length - shown.length
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
}
