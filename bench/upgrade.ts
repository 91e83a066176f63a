/** Six nodes rolled to another version: how much of a node's time is ours, and beside `talosctl upgrade` in a shell loop. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunResult } from '../src/lib/types.ts'
import { ownSeconds, runFiles } from './critical-path.ts'
import { cli, memoryRow, root, row, time, timeAndResources } from './measure.ts'

const lab = ['--cluster', 'apps', '--lab-name', 'bench']
const inLab = (...args: string[]) => time({ name: 'lab', command: [process.execPath, cli, 'lab', ...args] }) / 1000

export function benchUpgrade(): void {
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'upgrade.json')
  try {
    inLab('up', ...lab, '--pace', '0.1', '--bootstrapped', '--fixtures')
    const reason = ['--now', '--reason', 'bench', '--report', report]
    const roll = timeAndResources(['talos', 'upgrade', '--rolling', '--to', 'v1.13.0', ...lab, '--lab', ...reason])
    const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
    const { journal } = runFiles(result.runId, lab)
    const upgraded = result.steps.filter(({ id, state }) => id.endsWith('/upgrade') && state === 'done')
    const nodes = upgraded.map(({ id }) => id.split('/')[0])
    const steps = result.steps.filter(({ id }) => nodes.includes(id.split('/')[0]))
    const own = ownSeconds(steps, journal) / nodes.length
    row(`own time per node, of ${nodes.length}`, `${own.toFixed(2)} s`, '<= 1 s', own <= 1)
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
