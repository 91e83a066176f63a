/** What the engine asks of the world. Everything here is an argument of a run, so tests pass their own. */
import type { Check, Plan, Result, Silence, Verdict } from '../types.ts'

/**
 * Looks at live state on behalf of a step. Implemented by src/lib/gates/evaluate.ts.
 *
 * Neither method rejects because a gate does not hold, because its object can't be read or because time is up: all of
 * that is a verdict (`fail`, or `unknown` when it could not look). They reject only on a bug, e.g. a gate that the
 * catalogue does not have (UsageError).
 */
export interface Gates {
  /** One look, now. An aborted signal ends it with the verdict `unknown`. */
  evaluate(check: Check, signal: AbortSignal): Promise<Verdict>
  /** Looks at once, then watches until the gate passes, the deadline is over or the signal aborts; gives the last verdict. */
  waitFor(check: Check, options: WaitOptions): Promise<Verdict>
}

export interface GatePort extends Gates {
  /**
   * For checks that are made at one time: what several of them look at is read once, and watched once.
   * @param signal ends what is watched; whoever asks for this aborts it when the checks are through
   */
  together(signal: AbortSignal): Gates
}

/** What a command shows of many gates at once. */
export interface GateReader extends GatePort {
  /** One look at each, side by side; what several of them read is read once. Verdicts in the order of the checks. */
  evaluateAll(checks: Check[], signal: AbortSignal): Promise<Verdict[]>
  /** Looks at once, then whenever something changes, until the signal aborts, whatever the verdict is. */
  follow(check: Check, options: FollowOptions): Promise<void>
}

export interface FollowOptions {
  signal: AbortSignal
  /** Between two looks at what can't be watched (seconds). */
  everySec: number
  onVerdict: (verdict: Verdict) => void
}

export interface WaitOptions {
  /** Milliseconds on the monotonic clock, `performance.now()`. */
  deadline: number
  signal: AbortSignal
  /** Called with what is still waited for, one line each, whenever that changes. */
  onWaiting: (waitingFor: string[]) => void
}

/** `coordination.k8s.io/v1 Lease`, the fields that a lock needs. */
export interface Lease {
  name: string
  resourceVersion: string
  holder: string
  leaseSec: number
  renewTime: string
  acquireTime: string
  /** How often the lease changed hands: the fencing token. */
  transitions: number
  /** What the holder does: operation, run, step, machine. */
  annotations: Record<string, string>
}

/** The one door through which this program itself writes to the API: the lock. Implemented by src/lib/kube/lease.ts. */
export interface LeasePort {
  get(name: string): Promise<Result<Lease>>
  /** `why: 'failed'` with detail `exists` when somebody was quicker. */
  create(lease: Omit<Lease, 'resourceVersion'>): Promise<Result<Lease>>
  /** Optimistic: `why: 'failed'` with detail `conflict` when `resourceVersion` is not the current one. */
  replace(lease: Lease): Promise<Result<Lease>>
}

/** Silences of alerts: beside the Lease the only thing that a run writes by itself, because it is renewed as a Lease is. */
export interface SilencePort {
  /** Makes one, or moves the end of the one with that id (another one, if it has ended); gives its id. */
  set(silence: Silence & { id?: string; by: string; comment: string; until: Date }): Promise<Result<string>>
  /** One that is no more has ended. */
  end(id: string): Promise<Result<undefined>>
}

/** Ctrl-C, as the engine sees it. */
export interface Interrupts {
  /** First SIGINT or SIGTERM: nothing new starts, `now` steps are ended, `after` steps finish. */
  stop: AbortSignal
  /** Second one: everything ends at once. */
  kill: AbortSignal
}

/** The lock of a run, as its steps see it. */
export interface RunLock {
  /**
   * Must be awaited before every write: still ours? Takes the Lease as soon as the cluster's API answers.
   * Throws LockedError when another run has it, UnreachableError when a lease that we hold can't be read again.
   */
  beforeWrite(step: string): Promise<void>
  release(): Promise<void>
}

/** The files and tool versions that plans are made from. */
export interface BasisPort {
  /** The digest of the plan's basis as it would be now. */
  digest: (plan: Plan) => Promise<string>
  /** What differs from the plan's basis, one line each; for the message only. */
  describe: (plan: Plan) => Promise<string[]>
}
