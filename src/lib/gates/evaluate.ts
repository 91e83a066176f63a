/**
 * Looks at live state for the engine: once, or until a gate passes. Kubernetes objects are watched; what can't be
 * watched (the Talos API, processes, files) is asked again at the gate's interval. `unknown` never passes.
 */
import type { GateReader } from '../engine/ports.ts'
import { UsageError } from '../errors.ts'
import type { Check, KubePort, TalosPort, Verdict } from '../types.ts'
import { gates as catalog } from './catalog.ts'
import { fillGate } from './fill.ts'
import { lookAt, looksOf, merged, type Reads } from './look.ts'
import { everySec, observe, poll } from './observe.ts'
import { sharedReads } from './shared-reads.ts'
import type { Gate, ProbeName } from './types.ts'
import { interrupted, untilPassed } from './until-passed.ts'

export type Probe = (params: Record<string, string>, signal: AbortSignal) => Promise<Verdict>

export interface GateSources {
  kube: KubePort
  talos: TalosPort
  /** Made anew over other reads when several gates share them. */
  probes: (kube: KubePort, talos: TalosPort) => Record<ProbeName, Probe>
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
    const probes = sources.probes(kube, talos)
    const once = async (gate: Gate, check: Check, signal: AbortSignal): Promise<Verdict> => {
      if ('probe' in gate) return completed(gate, await probes[gate.probe](check.params ?? {}, signal))
      const verdicts = await Promise.all((looksOf(gate) ?? []).map((look) => lookAt(look, reads, signal)))
      return completed(gate, merged(verdicts))
    }
    return { reads, once }
  }
  const { reads, once } = lookingThrough(sources)
  const verdictsOf = (
    gate: Gate,
    check: Check,
    interval: number | undefined,
    signal: AbortSignal,
    emit: (verdict: Verdict) => void,
  ): Promise<void> => {
    const looks = looksOf(gate)
    return looks
      ? observe(looks, reads, interval, signal, (verdict) => emit(completed(gate, verdict)))
      : poll(() => once(gate, check, signal), interval ?? everySec, signal, emit)
  }

  return {
    async evaluate(check, signal) {
      if (signal.aborted) return interrupted
      const verdict = await once(gateOf(check), check, signal)
      return signal.aborted ? interrupted : verdict
    },
    async evaluateAll(checks, signal) {
      const gates = checks.map(gateOf)
      if (signal.aborted) return checks.map(() => interrupted)
      const together = lookingThrough(sharedReads(sources))
      const verdicts = await Promise.all(
        checks.map((check, index) => together.once(gates[index] as Gate, check, signal)),
      )
      return signal.aborted ? checks.map(() => interrupted) : verdicts
    },
    async waitFor(check, options) {
      const gate = gateOf(check)
      return untilPassed(
        (signal, emit) => verdictsOf(gate, check, gate.everySec, signal, emit),
        (check.stableSec ?? gate.stableSec ?? 0) * sources.timeScale * 1000,
        options,
      )
    },
    follow(check, options) {
      const gate = gateOf(check)
      // Machines and probes that a wait asks every second are asked less often by one who only looks on.
      return verdictsOf(gate, check, options.everySec, options.signal, options.onVerdict)
    },
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
