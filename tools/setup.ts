/**
 * Puts the pinned tool-chain on this machine.
 *
 *   node tools/setup.ts [--for bootstrap|lab|test|all] [--list]
 *
 * Finds what is there, lets mise install what it has prebuilt, builds the rest from Go modules, and keeps it in
 * ${K8SOPS_CACHE:-~/.cache/k8sops}/tools. Safe to interrupt and to run again.
 */
import { parseArgs } from 'node:util'
import { OperatorError } from '../src/lib/errors.ts'
import { ensureTools, type ToolProgress } from '../src/lib/tools/build.ts'
import { type Need, toolsFor } from '../src/lib/tools/catalog.ts'
import { toolCache, toolVersions } from '../src/lib/tools/resolve.ts'

const purposes = ['bootstrap', 'lab', 'test', 'all']

function list(): void {
  for (const { name, pinned, found, onPath } of toolVersions()) {
    const where = found ? `${found.source}  ${found.path}` : onPath ? `missing (PATH has ${onPath})` : 'missing'
    console.log(`${name.padEnd(24)} ${pinned.padEnd(9)} ${where}`)
  }
}

async function setUp(purpose: Need | 'all'): Promise<void> {
  const started = performance.now()
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => interrupt.abort(new Error('interrupted')))
  const names = toolsFor(purpose).map((tool) => tool.name)
  let present = 0
  const printer = new ProgressLine()
  try {
    await ensureTools(names, {
      signal: interrupt.signal,
      onProgress: (event) => {
        if (event.state === 'present') present++
        else printer.show(event)
      },
    })
  } catch (error) {
    printer.clear()
    explain(error, interrupt.signal.aborted)
    return
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `${names.length} tools ready (${present} were there, ${names.length - present} new) in ${seconds} s: ${toolCache()}`,
  )
}

/** Says what failed, how to see it again and what to do; sets the exit code. */
function explain(error: unknown, interrupted: boolean): void {
  process.exitCode = interrupted ? 130 : error instanceof OperatorError ? error.exitCode : 1
  if (interrupted) {
    console.error('Interrupted. What was built stays; the same command goes on from there.')
  } else if (error instanceof OperatorError) {
    const { command, output, next } = error.detail
    console.error(
      [error.message, command && `  $ ${command}`, output?.replace(/^/gm, '  | '), next].filter(Boolean).join('\n'),
    )
  } else throw error
}

/** One line that is rewritten in place on a terminal; elsewhere a plain line every 15 seconds. */
class ProgressLine {
  private lastShown = 0
  private readonly live = process.stdout.isTTY === true

  show({ tool, version, state, elapsedSec, etaSec }: ToolProgress): void {
    const ended = state === 'done' || state === 'failed'
    if (!ended && !this.live && elapsedSec - this.lastShown < 15 && elapsedSec >= 1) return
    this.lastShown = ended ? 0 : elapsedSec
    const text = `${state.padEnd(10)} ${tool} ${version}  ${duration(elapsedSec)}${etaSec > 0 ? `  (${duration(etaSec)} left in all)` : ''}`
    if (this.live) process.stdout.write(`\r\x1b[2K${text}${ended ? '\n' : ''}`)
    else console.log(text)
  }

  clear(): void {
    if (this.live) process.stdout.write('\r\x1b[2K')
  }
}

function duration(seconds: number): string {
  const whole = Math.round(seconds)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: 'all' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
})

if (values.help || !purposes.includes(values.for)) {
  console.log('usage: node tools/setup.ts [--for bootstrap|lab|test|all] [--list]')
  process.exit(values.help ? 0 : 2)
} else if (values.list) list()
else await setUp(values.for as Need | 'all')
