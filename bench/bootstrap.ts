/** A whole rehearsal: lab up, bootstrap, bootstrap again; then the same work by a shell script as peers write it. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunResult, StepResult } from '../src/lib/types.ts'
import { cli, residentMb, root, row, time } from './measure.ts'

const lab = (name: string) => ['--cluster', 'apps', '--lab-name', name]
const k8sops = (...args: string[]) =>
  time({ name: args[0] as string, command: [process.execPath, cli, ...args] }) / 1000

/** What nobody can be faster than: steps one after the other, neighbours of a group side by side, without our own time between. */
function criticalPath(steps: (StepResult & { group?: string })[]): number {
  let sum = 0
  for (let index = 0; index < steps.length; ) {
    const group = steps[index]?.group
    let longest = 0
    do {
      longest = Math.max(longest, steps[index]?.seconds ?? 0)
      index += 1
    } while (group !== undefined && steps[index]?.group === group)
    sum += longest
  }
  return sum
}

export function benchBootstrap(): void {
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'bootstrap.json')
  try {
    const up = k8sops('lab', 'up', ...lab('bench'))
    row('lab up (warm)', `${up.toFixed(1)} s`, '<= 10 s', up <= 10)
    const first = k8sops('bootstrap', ...lab('bench'), '--lab', '--yes', '--report', report)
    row('bootstrap --lab', `${first.toFixed(1)} s`, '<= 180 s', first <= 180)
    const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
    const path = criticalPath(result.steps)
    row(
      'bootstrap / critical path of its waits',
      `${first.toFixed(1)} / ${path.toFixed(1)} s = ${(first / path).toFixed(3)}`,
      '<= 1.05',
      first <= 1.05 * path,
    )
    const again = k8sops('bootstrap', ...lab('bench'), '--lab', '--yes')
    row('bootstrap again', `${again.toFixed(1)} s`, '<= 10 s', again <= 10)
    const mb = residentMb(['bootstrap', ...lab('bench'), '--lab', '--yes'])
    row('peak memory of k8sops bootstrap', `${mb.toFixed(0)} MB`, '<= 150 MB', mb <= 150)
    k8sops('lab', 'down', ...lab('bench'))

    k8sops('lab', 'up', ...lab('bench'))
    const peer =
      time({
        name: 'peer',
        command: [
          process.execPath,
          cli,
          'lab',
          'exec',
          ...lab('bench'),
          '--',
          'bash',
          join(root, 'bench/peer-bootstrap.sh'),
        ],
      }) / 1000
    row(
      'bootstrap --lab / shell script with sleeps',
      `${first.toFixed(1)} / ${peer.toFixed(1)} s = ${(first / peer).toFixed(2)}`,
      '< 1',
      first < peer,
    )
  } finally {
    k8sops('lab', 'down', ...lab('bench'))
  }
}
