/**
 * The lock among machines: a Lease in kube-system. Expiry is judged the way client-go's leader election does it: a
 * lease is stale when we ourselves have watched it go unrenewed for its whole duration, on our monotonic clock; the
 * times written in it come from somebody else's clock and decide nothing.
 *
 * It excludes two holders. It can't recall a request that was already sent (reference feasibility.md g), so the engine
 * confirms it before every write.
 */
import { LockedError, UnreachableError } from '../errors.ts'
import type { ProcessPort } from '../exec/types.ts'
import type { Result } from '../types.ts'
import { lockedBy } from './lock-file.ts'
import type { Lease, LeasePort } from './ports.ts'

export interface LeaseClock {
  /** Monotonic milliseconds. */
  now: () => number
  pause: (ms: number) => Promise<void>
}

export interface LeaseLockOptions {
  port: LeasePort
  /** `cluster`, `app/<name>`, `namespace/<name>` */
  scope: string
  operation: string
  runId: string
  processes: ProcessPort
  clock: LeaseClock
  /** How long it stays valid without a renewal. */
  leaseSec: number
  /** How long a lease that we hold may stay unreadable before a write is given up. */
  patienceSec: number
}

export interface LeaseLock {
  readonly held: boolean
  /** `unavailable`: the cluster has no API yet (or none for us). Throws LockedError when somebody else has it. */
  acquire: () => Promise<'held' | 'unavailable'>
  /** Renews it if it is still ours, saying where we are. Throws LockedError when it is not ours any more, UnreachableError when it can't be told. */
  confirm: (step: string) => Promise<void>
  /** Keeps it alive between confirmations; never throws, the next confirmation tells. */
  renew: () => Promise<void>
  release: () => Promise<void>
}

const annotation = (name: string) => `k8sops.dev/${name}`
const pollMs = 1_000
/** Reads further apart than this don't count as one observation: we, or the API server, were away in between. */
const gapMs = 5_000

export function createLeaseLock(options: LeaseLockOptions): LeaseLock {
  const { port, clock, processes } = options
  const self = processes.self()
  const name = `k8sops-${options.scope.replaceAll('/', '-')}`
  const holder = `${self.who} ${self.pid}-${self.startTime} ${options.runId}`
  const since = new Date().toISOString()
  let mine = false
  let step = ''
  /** As we wrote it last. While nobody else has written it, which its version says, one request renews it. */
  let last: Lease | undefined

  const record = (transitions: number, acquireTime: string): Omit<Lease, 'resourceVersion'> => ({
    name,
    holder,
    leaseSec: options.leaseSec,
    acquireTime,
    renewTime: new Date().toISOString(),
    transitions,
    annotations: {
      [annotation('who')]: self.who,
      [annotation('pid')]: String(self.pid),
      [annotation('start-time')]: self.startTime,
      [annotation('space')]: self.space,
      [annotation('operation')]: options.operation,
      [annotation('run')]: options.runId,
      [annotation('step')]: step,
      [annotation('since')]: since,
    },
  })

  /** One try to make a free lease ours: true when it worked, false when somebody was quicker. */
  const take = async (from: Lease | undefined): Promise<boolean> => {
    const now = new Date().toISOString()
    const written = from
      ? await port.replace({ ...record(from.transitions + 1, now), resourceVersion: from.resourceVersion })
      : await port.create(record(0, now))
    mine = written.ok
    last = written.ok ? written.value : undefined
    return mine
  }

  /** Refused when anybody has written it since. */
  const rewrite = async ({ transitions, acquireTime, resourceVersion }: Lease): Promise<Result<Lease>> => {
    const written = await port.replace({ ...record(transitions, acquireTime), resourceVersion })
    last = written.ok ? written.value : undefined
    return written
  }

  const acquire = async (): Promise<'held' | 'unavailable'> => {
    if (mine) return 'held'
    let seen: { version: string; since: number; last: number } | undefined
    const giveUp = clock.now() + (options.leaseSec + options.patienceSec) * 1000
    for (;;) {
      const read = await port.get(name)
      const now = clock.now()
      if (!read.ok && read.why !== 'not-found' && !seen) return 'unavailable'
      if (read.ok && seen && seen.version !== read.value.resourceVersion && read.value.holder !== '')
        throw refused(read.value, options.scope)
      if (isFree(read.ok ? read.value : undefined, read.ok || read.why === 'not-found', seen, now, processes)) {
        const current = read.ok ? read.value : undefined
        if (await take(current)) return 'held'
        // kube-system may be missing for a moment on a new cluster; a conflict shows in the next look.
        if (!current && !(await port.get(name)).ok) return 'unavailable'
      } else if (read.ok) {
        const whole = seen && now - seen.last <= gapMs
        seen = { version: read.value.resourceVersion, since: whole ? seen!.since : now, last: now }
      }
      if (now > giveUp)
        throw read.ok
          ? refused(read.value, options.scope)
          : new UnreachableError(`cannot tell who holds the lease ${name}`, { output: read.detail })
      await clock.pause(pollMs)
    }
  }

  const confirm = async (atStep: string): Promise<void> => {
    step = atStep
    if (last && (await rewrite(last)).ok) return
    const giveUp = clock.now() + options.patienceSec * 1000
    for (;;) {
      const read = await port.get(name)
      let refusal = read.ok ? '' : read.detail
      if (read.ok) {
        if (read.value.holder !== holder) {
          mine = false
          throw lost(read.value, options.scope)
        }
        const written = await rewrite(read.value)
        if (written.ok) return
        refusal = written.detail
      } else if (read.why === 'not-found') {
        // Deleted, or etcd was restored to a time before it: free for whoever is first, which may be us.
        if (await take(undefined)) return
      }
      if (clock.now() >= giveUp)
        throw new UnreachableError(
          `the lock can't be confirmed: lease ${name} could not be renewed for ${options.patienceSec} s`,
          {
            output: refusal,
            next: 'nothing was written since; resume the run when the API server answers',
          },
        )
      await clock.pause(pollMs)
    }
  }

  const renew = async (): Promise<void> => {
    if (!mine || (last && (await rewrite(last)).ok)) return
    const read = await port.get(name)
    if (read.ok && read.value.holder === holder) await rewrite(read.value)
  }

  const release = async (): Promise<void> => {
    if (!mine) return
    mine = false
    const free = (lease: Lease) => port.replace({ ...lease, holder: '', annotations: {} })
    if (last && (await free(last)).ok) return
    const read = await port.get(name)
    if (read.ok && read.value.holder === holder) await free(read.value)
  }

  return {
    get held() {
      return mine
    },
    acquire,
    confirm,
    renew,
    release,
  }
}

function isFree(
  lease: Lease | undefined,
  answered: boolean,
  seen: { version: string; since: number; last: number } | undefined,
  now: number,
  processes: ProcessPort,
): boolean {
  if (!lease) return answered
  if (lease.holder === '' || isDeadNeighbour(lease, processes)) return true
  if (!seen || seen.version !== lease.resourceVersion || now - seen.last > gapMs) return false
  return now - seen.since >= lease.leaseSec * 1000
}

/** The holder was a process of this very machine, and is gone: no need to wait for the expiry. */
function isDeadNeighbour(lease: Lease, processes: ProcessPort): boolean {
  const {
    [annotation('space')]: space,
    [annotation('pid')]: pid,
    [annotation('start-time')]: startTime,
  } = lease.annotations
  if (!space || !pid || !startTime || space !== processes.self().space) return false
  return !processes.isAlive({ pid: Number(pid), startTime })
}

function refused(lease: Lease, scope: string): LockedError {
  // Whoever takes a Lease in another way than we do leaves our words of the run before on it.
  const words = lease.holder.endsWith(lease.annotations[annotation('run')] ?? '') ? lease.annotations : {}
  const of = (name: string) => words[annotation(name)]
  const step = of('step')
  return lockedBy(
    {
      who: of('who') ?? lease.holder,
      operation: of('operation') ?? 'another run',
      runId: of('run') ?? lease.holder,
      since: of('since') ?? lease.acquireTime,
      ...(step ? { step } : {}),
    },
    scope,
  )
}

function lost(lease: Lease, scope: string): LockedError {
  const now = lease.holder === '' ? 'nobody' : refused(lease, scope).message
  return new LockedError(`this run lost its lock on ${scope}; nothing was written since (now: ${now})`, {
    next: 'look at what the other run did before you resume this one',
  })
}
