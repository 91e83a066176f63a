/**
 * What a restore costs beyond the mover and the pods, and how long it takes to know about all backups beside the slowest thing that has to
 * be read for it. In a lab of its own.
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readDrillRecords } from '../src/commands/backup/observe.ts'
import { readBackups } from '../src/lib/ops/backup-facts.ts'
import type { RunResult } from '../src/lib/types.ts'
import { ownSeconds, runFiles } from './critical-path.ts'
import { openLab, type Timed, timedPorts } from './gates.ts'
import { cli, median, row, time } from './measure.ts'

const lab = ['--cluster', 'apps', '--lab-name', 'bench-backup']
const app = 'business/odoo'
const seconds = (...args: string[]) =>
  time({ name: args.join(' '), command: [process.execPath, cli, ...args], ends: [0, 3] }) / 1000

export async function benchBackup(): Promise<void> {
  try {
    seconds('lab', 'up', ...lab, '--bootstrapped')
    const kubectl = ['lab', 'exec', ...lab, '--', 'kubectl', '-n', 'business']
    seconds(...kubectl, 'rollout', 'status', 'deployment/odoo', '--timeout=300s')
    await benchStatus()
    benchRestore()
  } finally {
    seconds('lab', 'down', ...lab)
  }
}

async function benchStatus(): Promise<void> {
  const { opened, ports } = await openLab('bench-backup')
  const { signal } = new AbortController()
  const totals: number[] = []
  const slowest: number[] = []
  let reads: Timed[] = []
  for (let round = 0; round <= 7; round++) {
    reads = []
    const { kube } = timedPorts(ports.kube, ports.talos, reads)
    const started = performance.now()
    const { name } = opened.cluster
    await Promise.all([readBackups(kube, name, signal), readDrillRecords(kube, name, signal)])
    if (round === 0) continue
    totals.push(performance.now() - started)
    slowest.push(Math.max(...reads.map(({ ms }) => ms)))
  }
  const [all, one] = [median(totals), median(slowest)]
  const ratio = `${all.toFixed(0)} / ${one.toFixed(0)} ms = ${(all / one).toFixed(2)}`
  row(`backup status: ${reads.length} reads of a cluster / slowest of them`, ratio, '<= 1.5', all <= 1.5 * one)
  row(
    'backup status, the whole command',
    `${seconds('backup', 'status', ...lab, '--lab').toFixed(2)} s`,
    'beside',
    true,
  )
}

function benchRestore(): void {
  seconds('volsync', 'snapshot', app, ...lab, '--lab')
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'restore.json')
  const confirmed = ['--overwrite', '--confirm', 'odoo', '--yes', '--report', report]
  const whole = seconds('volsync', 'restore', app, ...lab, '--lab', ...confirmed)
  const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
  const around = whole - (result.seconds ?? whole)
  const within = ownSeconds(result.steps, runFiles(result.runId, lab))
  const own = around + within
  const figure = `${around.toFixed(1)} + ${within.toFixed(1)} = ${own.toFixed(1)} s of ${whole.toFixed(1)}`
  row('volsync restore: own time, around its steps and in them', figure, '<= 2 s', own <= 2)
}

if (import.meta.main) await benchBackup()
