/** A whole rehearsal: lab up, bootstrap, bootstrap again; then the same work by a shell script as peers write it. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Plan, RunResult, StepResult } from '../src/lib/types.ts'
import { cli, memoryRow, root, row, run, time, timeAndMemory } from './measure.ts'

const lab = (name: string) => ['--cluster', 'apps', '--lab-name', name]
const k8sops = (...args: string[]) =>
  time({ name: args[0] as string, command: [process.execPath, cli, ...args] }) / 1000

interface ProcessEvent {
  at: string
  type: string
  step: string
}

/**
 * What nobody can be faster than with these tools: of each step the time that its processes ran (by the journal, from the
 * first one's start to the last one's end) and that it then waited for the cluster, steps one after the other, neighbours
 * of a group side by side. Whatever else passes is ours and counts against us: start-up, planning, looking whether a step
 * is done already, locks, journal, starting processes.
 */
function criticalPath(steps: StepResult[], journal: ProcessEvent[], groups: Map<string, string>): number {
  const longest = new Map<string, number>()
  for (const { id, waitedSec = 0 } of steps) {
    const times = journal.flatMap(({ at, type, step }) =>
      type.startsWith('process-') && step === id ? [Date.parse(at)] : [],
    )
    const ran = times.length > 0 ? (Math.max(...times) - Math.min(...times)) / 1000 : 0
    const group = groups.get(id) ?? id
    longest.set(group, Math.max(longest.get(group) ?? 0, ran + waitedSec))
  }
  return [...longest.values()].reduce((sum, seconds) => sum + seconds, 0)
}

/** The run's journal and the plan beside it, in the lab's copy of the repository. */
function runFiles(runId: string): { journal: ProcessEvent[]; groups: Map<string, string> } {
  const { stdout } = run({
    name: 'lab status',
    command: [process.execPath, cli, 'lab', 'status', ...lab('bench'), '-o', 'json'],
  })
  const root = (JSON.parse(stdout) as { items: { root: string }[] }).items[0]?.root ?? ''
  const read = (file: string) => readFileSync(join(root, '.k8sops/runs', runId, file), 'utf8')
  const lines = read('journal.ndjson').split('\n').filter(Boolean)
  const { steps } = JSON.parse(read('plan.json')) as Plan
  return {
    journal: lines.map((line) => JSON.parse(line) as ProcessEvent),
    groups: new Map(steps.flatMap(({ id, group }) => (group ? [[id, group]] : []))),
  }
}

export function benchBootstrap(): void {
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-bench-')), 'bootstrap.json')
  try {
    const up = k8sops('lab', 'up', ...lab('bench'))
    row('lab up (warm)', `${up.toFixed(1)} s`, '<= 10 s', up <= 10)
    const bootstrap = ['bootstrap', ...lab('bench'), '--lab', '--yes']
    const { seconds: first, mb } = timeAndMemory([...bootstrap, '--report', report])
    row('bootstrap --lab', `${first.toFixed(1)} s`, '<= 180 s', first <= 180)
    const result = JSON.parse(readFileSync(report, 'utf8')) as RunResult
    const { journal, groups } = runFiles(result.runId)
    const path = criticalPath(result.steps, journal, groups)
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
    const again = timeAndMemory(bootstrap)
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
