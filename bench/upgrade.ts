/** Six nodes rolled to another version: how much of a node's time is ours, and beside `talosctl upgrade` in a shell loop. */
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunResult } from '../src/lib/types.ts'
import { ownSeconds, runFiles } from './critical-path.ts'
import { cli, median, memoryRow, root, row, run, time, timeAndResources } from './measure.ts'

const lab = ['--cluster', 'apps', '--lab-name', 'bench']
const inLab = (...args: string[]) => time({ name: 'lab', command: [process.execPath, cli, 'lab', ...args] }) / 1000

/**
 * What one read takes by itself, again and again while `work` goes on: in a lab everything runs on the processors on which k8sops does, and
 * what Flux does after a drain makes every read wait, whoever asks.
 * @returns medians of the wall times of `kubectl get --raw` of the nodes (ms): at rest before it, and meanwhile
 */
function readingBeside<T>(work: () => T): { result: T; restMs: number; meanwhileMs: number } {
  const read = `begun=$(date +%s%N); kubectl get --raw '/api/v1/nodes?limit=500' > /dev/null && echo $((($(date +%s%N) - begun) / 1000000))`
  const reader = ['lab', 'exec', ...lab, '--', 'bash', '-c']
  const numbers = (text: string) => text.split('\n').filter(Boolean).map(Number)
  const atRest = run({
    name: 'reads',
    command: [process.execPath, cli, ...reader, `for _ in 1 2 3 4 5; do ${read}; done`],
  })
  const file = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'reads')
  const out = openSync(file, 'w')
  const { pid } = spawn(process.execPath, [cli, ...reader, `while sleep 2; do ${read}; done`], {
    stdio: ['ignore', out, 'ignore'],
    detached: true,
    cwd: root,
  })
  closeSync(out)
  try {
    const result = work()
    return { result, restMs: median(numbers(atRest.stdout)), meanwhileMs: median(numbers(readFileSync(file, 'utf8'))) }
  } finally {
    if (pid) process.kill(-pid)
  }
}

export function benchUpgrade(): void {
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'upgrade.json')
  try {
    inLab('up', ...lab, '--pace', '1', '--bootstrapped', '--fixtures')
    const reason = ['--now', '--reason', 'bench', '--report', report]
    const rolling = ['talos', 'upgrade', '--rolling', '--to', 'v1.13.0', ...lab, '--lab', ...reason]
    const { result: roll, restMs, meanwhileMs } = readingBeside(() => timeAndResources(rolling))
    const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
    const files = runFiles(result.runId, lab)
    const upgraded = result.steps.filter(({ id, state }) => id.endsWith('/upgrade') && state === 'done')
    const nodes = upgraded.map(({ id }) => id.split('/')[0])
    const steps = result.steps.filter(({ id }) => nodes.includes(id.split('/')[0]))
    const own = ownSeconds(steps, files) / nodes.length
    row(`own time per node, of ${nodes.length}`, `${own.toFixed(2)} s`, '<= 1 s', own <= 1)
    const reads = (own * 1000) / meanwhileMs
    row(
      'kubectl get --raw of the nodes beside it / at rest',
      `${meanwhileMs.toFixed(0)} / ${restMs.toFixed(0)} ms; own time = ${reads.toFixed(1)} such reads`,
      'beside',
      true,
    )
    // What of it does not depend on who else uses the machine; the whole run's, with its start and its checks.
    const cpu = roll.cpuSeconds / nodes.length
    row('processor time per node', `${cpu.toFixed(2)} s`, '<= 1 s', cpu <= 1)
    memoryRow(['talos', 'upgrade', '--rolling'], roll.mb)
    const peer = inLab('exec', ...lab, '--', 'bash', join(root, 'bench/peer-upgrade.sh'), 'v1.13.1')
    row(
      'talos upgrade --rolling / shell loop with sleeps',
      `${roll.seconds.toFixed(1)} / ${peer.toFixed(1)} s = ${(roll.seconds / peer).toFixed(2)}`,
      'beside',
      true,
    )
  } finally {
    inLab('down', ...lab)
  }
}
