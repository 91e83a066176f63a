/** Looks at what the rows of a status are made of: once with a time limit, or for as long as somebody looks on. */
import type { GateReader } from '../engine/ports.ts'
import type { Check, KubePort, Verdict } from '../types.ts'
import { type Facts, factKinds, factNames } from './status-facts.ts'

export interface StatusSources {
  checks: Check[]
  gates: GateReader
  /** The reads that the gates look through, so that nothing is read twice. */
  kube: KubePort
  signal: AbortSignal
}

export interface Observed {
  verdicts: Map<Check, Verdict>
  facts: Facts
}

/** @param limitMs after which what has not been answered is unknown: one machine that hangs must not hide all the others */
export async function observeStatus(
  { checks, gates, kube, signal }: StatusSources,
  limitMs: number,
): Promise<Observed> {
  const late = AbortSignal.timeout(limitMs)
  const until = AbortSignal.any([signal, late])
  const over = new Promise<undefined>((resolve) => {
    until.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const detail = `no answer within ${limitMs / 1000} s`
  const [verdicts, facts] = await Promise.all([
    Promise.all(
      checks.map(async (check): Promise<[Check, Verdict]> => {
        const verdict = await Promise.race([gates.evaluate(check, until), over])
        const silent = verdict === undefined || (late.aborted && verdict.status !== 'pass')
        return [check, silent ? { status: 'unknown', detail, cause: 'unreachable' } : verdict]
      }),
    ),
    Promise.all(
      factNames.map(async (name) => {
        const read = await Promise.race([kube.list(factKinds[name], until), over])
        return [name, read ?? { ok: false, why: 'unreachable', detail }] as const
      }),
    ),
  ])
  return { verdicts: new Map(verdicts), facts: Object.fromEntries(facts) }
}

/** Between two looks at machines and other things that can't be watched (seconds). */
const lookEverySec = 10

/** Tells every change until the signal aborts: Kubernetes is watched, machines are asked every ten seconds. */
export async function followStatus(
  { checks, gates, kube, signal }: StatusSources,
  onChange: (seen: Observed) => void,
): Promise<void> {
  const seen: Observed = { verdicts: new Map(), facts: {} }
  const tell = () => {
    if (!signal.aborted) onChange(seen)
  }
  await Promise.all([
    ...checks.map((check) =>
      gates.follow(check, {
        signal,
        everySec: lookEverySec,
        onVerdict: (verdict) => {
          seen.verdicts.set(check, verdict)
          tell()
        },
      }),
    ),
    ...factNames.map((name) =>
      kube.watch(factKinds[name], signal, (read) => {
        seen.facts[name] = read
        tell()
      }),
    ),
  ])
}
