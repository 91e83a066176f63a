/** What a run tells while it goes on, and what it leaves. Imported through types.ts. */

export type RunEvent =
  | {
      type: 'run-started'
      at: string
      runId: string
      operation: string
      cluster: string
      steps: { id: string; title: string; group?: string }[]
    }
  | { type: 'step-started'; at: string; step: string }
  | { type: 'step-output'; at: string; step: string; line: string }
  | { type: 'step-waiting'; at: string; step: string; waitingFor: string[] }
  | { type: 'step-skipped'; at: string; step: string; reason: string }
  | { type: 'step-done'; at: string; step: string; seconds: number }
  | { type: 'step-failed'; at: string; step: string; seconds: number; message: string }
  | { type: 'run-interrupted'; at: string; step: string; finishing: boolean }
  /** What went wrong beside the steps, and stops nothing. */
  | { type: 'run-note'; at: string; text: string }
  | { type: 'run-finished'; at: string; result: RunResult }

export interface StepResult {
  id: string
  title: string
  state: 'done' | 'skipped' | 'failed' | 'interrupted' | 'not-started'
  startedAt?: string
  seconds?: number
  /** Seconds spent waiting for `verify`/`require`, part of `seconds`. */
  waitedSec?: number
  waitedFor?: string[]
  reason?: string
}

export interface RunResult {
  apiVersion: 'k8sops.dev/v1'
  kind: 'RunResult'
  runId: string
  operation: string
  cluster: string
  outcome: 'succeeded' | 'failed' | 'stopped' | 'interrupted'
  exitCode: number
  startedAt: string
  seconds: number
  changed: boolean
  /** Of the plan. */
  targetSec?: number
  steps: StepResult[]
  error?: { name: string; message: string; next?: string }
  /** How to go on, when there is something to go on with. */
  resume?: string
}
