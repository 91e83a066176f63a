/**
 * A world for engine tests: a directory stands for the cluster, small shell commands for the tools, and gates look at
 * files. Everything between (exec, journal, locks, guard) is the real thing.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BasisPort, GateReader, Interrupts, LeasePort } from '../../src/lib/engine/ports.ts'
import type { Surroundings } from '../../src/lib/engine/start.ts'
import { createExec } from '../../src/lib/exec/exec.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { createRedactor } from '../../src/lib/exec/redact.ts'
import type { Command, Plan, RunEvent, Step, Target, Verdict } from '../../src/lib/types.ts'

export interface World {
  root: string
  target: Target
  /** Content of the "cluster": every file of state/, by name. */
  state: () => Record<string, string>
  remove: () => void
}

export function makeWorld(root: string = mkdtempSync(join(tmpdir(), 'k8sops-engine-'))): World {
  mkdirSync(join(root, 'state'), { recursive: true })
  return {
    root,
    target: {
      cluster: 'test',
      root,
      kubeconfig: join(root, 'kubeconfig'),
      context: 'test',
      talosconfig: 'talosconfig',
      env: {},
      stateDir: join(root, '.k8sops'),
      snapshotDir: join(root, 'snapshots'),
      timeScale: 1,
    },
    state: () => {
      const names = readdirSync(join(root, 'state')).sort()
      return Object.fromEntries(names.map((name) => [name, readFileSync(join(root, 'state', name), 'utf8')]))
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** `sh -c SCRIPT` as a command of a plan: the tools of this world are all the shell. */
export function shell(script: string, more: Partial<Command> = {}): Command {
  return { tool: 'kubectl', args: ['-c', script], ...more }
}

/** A step that makes the file state/<name>, and is done when it is there. */
export function makeFile(name: string, more: Partial<Step> = {}, script?: string): Step {
  const check = { gate: 'file', params: { name } }
  return {
    id: name,
    title: `Make ${name}`,
    // There whole or not at all: a shell that is killed between opening the file and writing to it would leave it empty.
    action: {
      kind: 'exec',
      pipeline: [shell(script ?? `echo ${name} >> effects; echo ${name} > new-${name}; mv new-${name} state/${name}`)],
    },
    unless: [check],
    verify: [check],
    interrupt: 'now',
    timeoutSec: 10,
    ...more,
  }
}

export function makePlan(steps: Step[], more: Partial<Plan> = {}): Plan {
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: 'Plan',
    operation: 'test',
    cluster: 'test',
    params: {},
    basis: { commit: '0123456789abcdef', digest: 'sha256:0', observed: {} },
    scope: 'cluster',
    steps,
    ...more,
  }
}

/** Gates of this world: `file name=x` (state/x exists), `never`, `blind` (can't look), `broken` (wrong configuration). */
export function fileGates(root: string): GateReader {
  const look = (gate: string, name: string): Verdict => {
    if (gate === 'blind') return { status: 'unknown', detail: 'no answer', cause: 'unreachable' }
    if (gate === 'broken')
      return {
        status: 'fail',
        detail: 'wrong',
        cause: 'configuration',
        final: true,
        problems: [{ file: 'a.yaml', line: 3, message: 'bad' }],
      }
    if (gate === 'file' && existsSync(join(root, 'state', name))) return { status: 'pass', detail: `${name} is there` }
    return { status: 'fail', detail: `${name} is not there`, waitingFor: [`file ${name}`] }
  }
  const port: GateReader = {
    evaluate: async ({ gate, params }) => look(gate, params?.name ?? ''),
    together: () => port,
    evaluateAll: async (checks) => checks.map(({ gate, params }) => look(gate, params?.name ?? '')),
    follow: async ({ gate, params }, { onVerdict }) => onVerdict(look(gate, params?.name ?? '')),
    waitFor: async ({ gate, params }, { deadline, signal, onWaiting }) => {
      for (;;) {
        const verdict = look(gate, params?.name ?? '')
        if (verdict.status === 'pass' || verdict.final || signal.aborted || performance.now() >= deadline)
          return verdict
        onWaiting(verdict.waitingFor ?? [])
        await sleep(10, undefined, { signal }).catch(() => {})
      }
    },
  }
  return port
}

/** A cluster without an API: leases can't be had. */
export const noLease: LeasePort = {
  get: async () => ({ ok: false, why: 'unreachable', detail: 'no API yet' }),
  create: async () => ({ ok: false, why: 'unreachable', detail: 'no API yet' }),
  replace: async () => ({ ok: false, why: 'unreachable', detail: 'no API yet' }),
}

/** Files that nobody edits. */
export const stillBasis: BasisPort = { digest: async (plan) => plan.basis.digest, describe: async () => [] }

export interface Handle {
  around: Surroundings
  events: RunEvent[]
  stop: AbortController
  kill: AbortController
}

export function surroundings(world: World, more: Partial<Surroundings> = {}): Handle {
  const stop = new AbortController()
  const kill = new AbortController()
  const interrupts: Interrupts = { stop: stop.signal, kill: kill.signal }
  const events: RunEvent[] = []
  const redactor = createRedactor()
  return {
    stop,
    kill,
    events,
    around: {
      target: world.target,
      execFor: (runId) =>
        createExec({
          cwd: world.root,
          env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
          resolve: (tool) => (tool === 'op' ? join(world.root, 'op') : '/bin/sh'),
          redactor,
          runId,
        }),
      gates: fileGates(world.root),
      lease: noLease,
      processes,
      interrupts,
      emit: (event) => events.push(event),
      basis: stillBasis,
      resumeCommand: (runId) => `k8sops run resume ${runId}`,
      ...more,
    },
  }
}
