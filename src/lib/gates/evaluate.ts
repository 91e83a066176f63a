/**
 * Looks at live state for the engine: once, or until a gate passes. Kubernetes objects are watched; what can't be
 * watched (the Talos API, processes, files) is asked again at the gate's interval. `unknown` never passes.
 */
import type { GateReader, WaitOptions } from '../engine/ports.ts'
import { UsageError } from '../errors.ts'
import type { Check, KubePort, TalosPort, Verdict } from '../types.ts'
import { gates as catalog } from './catalog.ts'
import { fillGate } from './fill.ts'
import { lookAt, looksOf, merged, type Reads } from './look.ts'
import { everySec, observe, poll } from './observe.ts'
import { sharedReads } from './shared-reads.ts'
import { sharedWatches } from './shared-watches.ts'
import type { Gate, ProbeName } from './types.ts'
import { untilPassed } from './until-passed.ts'

const interrupted: Verdict = { status: 'unknown', detail: 'interrupted' }

export type Probe = (params: Record<string, string>, signal: AbortSignal) => Promise<Verdict>

export interface GateSources {
  kube: KubePort
  talos: TalosPort
  /** Made anew over other reads when several gates share them. Most looks need none, and they are the greater part of what gates load. */
  probes: (kube: KubePort, talos: TalosPort) => Promise<Record<ProbeName, Probe>>
  /** Factor on `stableSec`: 1 for real clusters, less in a lab. */
  timeScale: number
  /** Milliseconds since 1970; the machine's clock unless a test says otherwise. */
  now?: () => number
}

/** @param definitions the catalogue, which a test may replace */
export function createGatePort(sources: GateSources, definitions: Record<string, Gate> = catalog): GateReader {
  const gateOf = (check: Check): Gate => {
    const gate = definitions[check.gate]
    if (!gate) throw new UsageError(`there is no gate "${check.gate}" in src/lib/gates/catalog.ts`)
    return fillGate(check.gate, gate, check.params ?? {})
  }
  const { now = Date.now } = sources
  const lookingThrough = ({ kube, talos }: Pick<Reads, 'kube' | 'talos'>) => {
    const reads = { kube, talos, now }
    let probes: ReturnType<GateSources['probes']> | undefined
    const once = async (gate: Gate, check: Check, signal: AbortSignal): Promise<Verdict> => {
      if ('probe' in gate) {
        probes ??= sources.probes(kube, talos)
        return completed(gate, await (await probes)[gate.probe](check.params ?? {}, signal))
      }
      const verdicts = await Promise.all((looksOf(gate) ?? []).map((look) => lookAt(look, reads, signal)))
      return completed(gate, merged(verdicts))
    }
    return { reads, once }
  }
  const stableMs = (gate: Gate, check: Check) => (check.stableSec ?? gate.stableSec ?? 0) * sources.timeScale * 1000
  const watchingThrough = (through: Pick<Reads, 'kube' | 'talos'>) => {
    const { reads, once } = lookingThrough(through)
    const verdictsOf = (
      check: Check,
      interval: number | undefined,
      signal: AbortSignal,
      emit: (verdict: Verdict) => void,
    ): Promise<void> => {
      const gate = gateOf(check)
      const looks = looksOf(gate)
      // Machines and probes that a wait asks every second are asked less often by one who only looks on.
      const every = interval ?? gate.everySec
      return looks
        ? observe(looks, reads, every, signal, (verdict) => emit(completed(gate, verdict)))
        : poll(() => once(gate, check, signal), every ?? everySec, signal, emit)
    }
    const waitFor = async (check: Check, options: WaitOptions) =>
      untilPassed((signal, emit) => verdictsOf(check, undefined, signal, emit), stableMs(gateOf(check), check), options)
    return { verdictsOf, waitFor }
  }
  const evaluatedBy =
    ({ once }: ReturnType<typeof lookingThrough>) =>
    async (check: Check, signal: AbortSignal): Promise<Verdict> => {
      const gate = gateOf(check)
      if (signal.aborted) return interrupted
      const verdict = await once(gate, check, signal)
      return signal.aborted ? interrupted : verdict
    }
  const { verdictsOf, waitFor } = watchingThrough(sources)

  return {
    evaluate: evaluatedBy(lookingThrough(sources)),
    async evaluateAll(checks, signal) {
      const evaluate = evaluatedBy(lookingThrough(sharedReads(sources)))
      return Promise.all(checks.map((check) => evaluate(check, signal)))
    },
    waitFor,
    together(signal) {
      const evaluate = evaluatedBy(lookingThrough(sharedReads(sources)))
      const watching = watchingThrough({ ...sources, kube: sharedWatches(sources.kube, signal) })
      return {
        evaluate,
        async waitFor(check, options) {
          if (stableMs(gateOf(check), check) > 0) return watching.waitFor(check, options)
          // Most hold at once: they need no watch.
          const limit = AbortSignal.timeout(Math.max(0, Math.ceil(options.deadline - performance.now())))
          const verdict = await evaluate(check, AbortSignal.any([options.signal, limit]))
          return verdict.status === 'pass' || verdict.final ? verdict : watching.waitFor(check, options)
        },
      }
    },
    follow: (check, { everySec: interval, signal, onVerdict }) => verdictsOf(check, interval, signal, onVerdict),
  }
}

/** With what the catalogue knows of a gate that does not hold. */
function completed(gate: Gate, verdict: Verdict): Verdict {
  if (verdict.status !== 'fail') return verdict
  return {
    ...verdict,
    ...(gate.next && !verdict.next ? { next: gate.next } : {}),
    ...(gate.final ? { final: true as const, cause: gate.final } : {}),
  }
}
