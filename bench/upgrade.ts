/** Six nodes rolled to another version: how much of a node's time is ours, and beside `talosctl upgrade` in a shell loop. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunResult } from '../src/lib/types.ts'
import { ownSeconds, runFiles } from './critical-path.ts'
import { cli, root, row, time } from './measure.ts'

const lab = ['--cluster', 'apps', '--lab-name', 'bench']
const k8sops = (...args: string[]) =>
  time({ name: args[0] as string, command: [process.execPath, cli, ...args] }) / 1000

export function benchUpgrade(): void {
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'upgrade.json')
  try {
    k8sops('lab', 'up', ...lab, '--pace', '0.1', '--bootstrapped', '--fixtures')
    const roll = (...args: string[]) =>
      k8sops(
        'talos',
        'upgrade',
        '--rolling',
        ...args,
        ...lab,
        '--lab',
        '--now',
        '--reason',
        'bench',
        '--report',
        report,
      )
    const whole = roll('--to', 'v1.13.0')
    const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
    const { journal } = runFiles(result.runId, lab)
    const upgraded = result.steps.filter(({ id, state }) => id.endsWith('/upgrade') && state === 'done')
    const nodes = upgraded.map(({ id }) => id.split('/')[0])
    const steps = result.steps.filter(({ id }) => nodes.includes(id.split('/')[0]))
    const own = ownSeconds(steps, journal) / nodes.length
    row(`own time per node, of ${nodes.length}`, `${own.toFixed(2)} s`, '<= 1 s', own <= 1)
    const peer =
      time({
        name: 'peer',
        command: [
          process.execPath,
          cli,
          'lab',
          'exec',
          ...lab,
          '--',
          'bash',
          join(root, 'bench/peer-upgrade.sh'),
          'v1.13.1',
        ],
      }) / 1000
    row(
      'talos upgrade --rolling / shell loop with sleeps',
      `${whole.toFixed(1)} / ${peer.toFixed(1)} s = ${(whole / peer).toFixed(2)}`,
      'beside',
      true,
    )
  } finally {
    k8sops('lab', 'down', ...lab)
  }
}
