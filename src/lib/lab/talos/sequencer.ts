/** Talos's sequences: phases of tasks, one sequence at a time, each step an event (runtime/v1alpha1, v1.12.0). */
import type { EventLog } from './events.ts'
import type { KernelLog } from './kernel-log.ts'

export type SequenceName =
  | 'initialize'
  | 'install'
  | 'boot'
  | 'reboot'
  | 'shutdown'
  | 'upgrade'
  | 'stageUpgrade'
  | 'reset'

export interface Phase {
  phase: string
  task: string
  run(signal: AbortSignal): Promise<void>
  /** Talos logs an error of this task and goes on. */
  tolerant?: boolean
}

export type Outcome = 'done' | 'failed' | 'locked' | 'canceled'

export interface Sequencer {
  /**
   * Runs a sequence to its end. A running one of lower rank is cancelled first; otherwise nothing starts (`locked`).
   * @param actorId id that the caller of the API got, or empty
   */
  run(sequence: SequenceName, phases: Phase[], options?: { actorId?: string; takeover?: boolean }): Promise<Outcome>
  /** The power goes: cancels what runs, without a word. */
  cancel(): void
  running(): SequenceName | undefined
}

/** Which sequence may take over which running one (runtime.Sequence.CanTakeOver). */
const takeovers: Partial<Record<SequenceName, SequenceName[]>> = {
  boot: ['reboot', 'reset', 'upgrade'],
  reboot: ['reboot'],
  reset: ['reboot'],
}

export function createSequencer(events: EventLog, log: KernelLog): Sequencer {
  let current: { name: SequenceName; abort: AbortController; ended: Promise<void> } | undefined

  return {
    running: () => current?.name,
    cancel: () => current?.abort.abort(),
    async run(sequence, phases, { actorId = '', takeover = false } = {}) {
      if (current) {
        if (!takeover && !takeovers[current.name]?.includes(sequence)) {
          const error = { code: 1, message: 'sequence not started: locked' }
          events.publish('SequenceEvent', { sequence, action: 0, error })
          return 'locked'
        }
        current.abort.abort()
        await current.ended
      }
      const abort = new AbortController()
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      const own = { name: sequence, abort, ended }
      current = own
      try {
        return await runPhases(sequence, phases, actorId, abort.signal)
      } finally {
        if (current === own) current = undefined
        resolve()
      }
    },
  }

  async function runPhases(sequence: string, phases: Phase[], actorId: string, signal: AbortSignal): Promise<Outcome> {
    log.write(`${sequence} sequence: ${phases.length} phase(s)`)
    events.publish('SequenceEvent', { sequence, action: 1 }, actorId)
    for (const [index, phase] of phases.entries()) {
      const number = index + 1
      log.write(`phase ${phase.phase} (${number}/${phases.length}): 1 tasks(s)`)
      events.publish('PhaseEvent', { phase: phase.phase, action: 0 }, actorId)
      events.publish('TaskEvent', { task: phase.task, action: 0 }, actorId)
      const failure = await attempt(phase, signal)
      if (signal.aborted) return 'canceled'
      events.publish('TaskEvent', { task: phase.task, action: 1 }, actorId)
      events.publish('PhaseEvent', { phase: phase.phase, action: 1 }, actorId)
      if (failure === undefined) continue
      log.write(`task ${phase.task} (1/1): failed: ${failure}`)
      if (phase.tolerant) continue
      const message = `sequence failed: error running phase ${number} in ${sequence} sequence: task 1/1: failed, ${failure}`
      log.write(`${sequence} sequence: failed`)
      events.publish('SequenceEvent', { sequence, action: 0, error: { code: 0, message } }, actorId)
      return 'failed'
    }
    events.publish('SequenceEvent', { sequence, action: 2 }, actorId)
    return 'done'
  }
}

async function attempt(phase: Phase, signal: AbortSignal): Promise<string | undefined> {
  try {
    await phase.run(signal)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
