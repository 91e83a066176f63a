/** Times whole processes side by side: A B C A B C ..., so that a drift of the machine's speed hits all of them. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPackage, makePackage } from '../test/helpers/install-package.ts'

export const root = join(import.meta.dirname, '..')
const prefix = mkdtempSync(join(tmpdir(), 'k8sops-bench-package-'))
process.on('exit', () => rmSync(prefix, { recursive: true, force: true }))
export const tarball = makePackage()
/** The program as it is installed: what is released is what is measured. */
export const cli = installPackage(tarball, prefix)

export interface Contender {
  name: string
  /** Exit codes of a run that counts; 0 without it. */
  ends?: number[]
  command: string[]
  env?: Record<string, string>
}

export const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** Wall time of one process in milliseconds. */
export const time = (contender: Contender): number => run(contender).milliseconds

/** Runs one process; throws when it fails, since a fast failure is no result. */
export function run({ command, env, ends = [0] }: Contender): { milliseconds: number; stdout: string } {
  const [file, ...args] = command as [string, ...string[]]
  const started = performance.now()
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (error || status === null || !ends.includes(status))
    throw new Error(`${command.join(' ')} ended with ${status}: ${error?.message ?? stderr.slice(-2000)}`)
  return { milliseconds: performance.now() - started, stdout }
}

/** Medians in milliseconds by name, after one round that is not counted. */
export function compare(contenders: Contender[], rounds: number): Record<string, number> {
  const times = Object.fromEntries(contenders.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round++) {
    for (const contender of contenders) {
      const taken = time(contender)
      if (round > 0) times[contender.name]?.push(taken)
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, taken]) => [name, median(taken)]))
}

/** A k8sops command: wall time, and as the kernel accounts them peak resident memory and processor time (children not included). */
export function timeAndResources(args: string[], ends = [0]): { seconds: number; mb: number; cpuSeconds: number } {
  const out = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'resources.json')
  const milliseconds = time({
    name: args.join(' '),
    command: [process.execPath, '--import', join(import.meta.dirname, 'resources.js'), cli, ...args],
    env: { RESOURCES_FILE: out },
    ends,
  })
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(readFileSync(out, 'utf8')) as NodeJS.ResourceUsage
  return { seconds: milliseconds / 1000, mb: maxRSS / 1024, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 }
}

export function memoryRow(args: string[], mb: number): void {
  row(`peak memory of k8sops ${args.join(' ')}`, `${mb.toFixed(0)} MB`, '<= 150 MB', mb <= 150)
}

export interface Row {
  what: string
  figure: string
  /** What it has to be; a sentence where there is nothing to reach. */
  target: string
  met: boolean
}

/** Every row that was printed, in order. */
export const rows: Row[] = []

export function row(what: string, figure: string, target: string, met: boolean): void {
  rows.push({ what, figure, target, met })
  console.log(`${met ? 'ok ' : '-- '} ${what.padEnd(52)} ${figure.padStart(28)}   ${target}`)
}
