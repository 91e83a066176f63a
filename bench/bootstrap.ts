/** A whole rehearsal: lab up, bootstrap, bootstrap again; then the same work by a shell script as peers write it. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunResult } from '../src/lib/types.ts'
import { criticalPath, runFiles } from './critical-path.ts'
import { cli, memoryRow, root, row, time, timeAndResources } from './measure.ts'

const lab = (name: string) => ['--cluster', 'apps', '--lab-name', name]
const k8sops = (...args: string[]) =>
  time({ name: args[0] as string, command: [process.execPath, cli, ...args] }) / 1000

export function benchBootstrap(): void {
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'bootstrap.json')
  try {
    const up = k8sops('lab', 'up', ...lab('bench'))
    row('lab up (warm)', `${up.toFixed(1)} s`, '<= 10 s', up <= 10)
    const bootstrap = ['bootstrap', ...lab('bench'), '--lab', '--yes']
    const { seconds: first, mb } = timeAndResources([...bootstrap, '--report', report])
    row('bootstrap --lab', `${first.toFixed(1)} s`, '<= 180 s', first <= 180)
    const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
    const path = criticalPath(result.steps, runFiles(result.runId, lab('bench')))
    row(
      'bootstrap / critical path of its waits',
      `${first.toFixed(1)} / ${path.toFixed(1)} s = ${(first / path).toFixed(3)}`,
      '<= 1.05',
      first <= 1.05 * path,
    )
    const around = first - (result.seconds ?? first)
    row(
      '  of it ours, around the run and in it',
      `${around.toFixed(1)} + ${(first - path - around).toFixed(1)} s`,
      '',
      true,
    )
    memoryRow(['bootstrap --lab'], mb)
    const again = timeAndResources(bootstrap)
    row('bootstrap again', `${again.seconds.toFixed(1)} s`, '<= 10 s', again.seconds <= 10)
    memoryRow(['bootstrap --lab, again'], again.mb)
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
