/**
 * Looks at live state for the engine: once, or until a gate passes. Kubernetes objects are watched; what can't be
 * watched (the Talos API, processes, files) is asked again at the gate's interval. `unknown` never passes.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { GatePort, WaitOptions } from '../engine/ports.ts'
import { UsageError } from '../errors.ts'
import type { Check, KubeObject, KubePort, Result, TalosPort, Verdict } from '../types.ts'
import { gates as catalog } from './catalog.ts'
import { judge, type Observed } from './conditions.ts'
import { fillGate, listOf } from './fill.ts'
import { podReasons } from './pods.ts'
import type { Expectation, Gate, ProbeName } from './types.ts'
import { unreadable } from './unreadable.ts'

export type Probe = (params: Record<string, string>, signal: AbortSignal) => Promise<Verdict>

export interface GateSources {
  kube: KubePort
  talos: TalosPort
  probes: Record<ProbeName, Probe>
  /** Factor on `stableSec`: 1 for real clusters, less in a lab. */
  timeScale: number
}

/** Between two looks when a gate names no interval of its own. */
const everySec = 2
/** A watched workload doesn't change while its pods tell why it isn't there: how often they are asked. */
const reasonsEveryMs = 3_000

/** @param definitions the catalogue, which a test may replace */
export function createGatePort(sources: GateSources, definitions: Record<string, Gate> = catalog): GatePort {
  const gateOf = (check: Check): Gate => {
    const gate = definitions[check.gate]
    if (!gate) throw new UsageError(`there is no gate "${check.gate}" in src/lib/gates/catalog.ts`)
    return fillGate(check.gate, gate, check.params ?? {})
  }
  return {
    async evaluate(check, signal) {
      if (signal.aborted) return interrupted
      const verdict = await look(gateOf(check), check, sources, signal)
      return signal.aborted ? interrupted : verdict
    },
    async waitFor(check, options) {
      const gate = gateOf(check)
      return untilPassed(
        (signal, emit) =>
          'object' in gate
            ? watchGate(gate, gate.object, gate.expect, sources.kube, signal, emit)
            : pollGate(() => look(gate, check, sources, signal), gate.everySec ?? everySec, signal, emit),
        (check.stableSec ?? gate.stableSec ?? 0) * sources.timeScale * 1000,
        options,
      )
    },
  }
}

const interrupted: Verdict = { status: 'unknown', detail: 'interrupted' }

async function look(gate: Gate, check: Check, sources: GateSources, signal: AbortSignal): Promise<Verdict> {
  if ('object' in gate) {
    const read = await sources.kube.list(gate.object, signal)
    return advised(gate, judgeObjects(gate.object.kind, read, gate.expect))
  }
  if ('talos' in gate) return advised(gate, await lookAtMachines(gate.talos, gate.expect, sources.talos, signal))
  return advised(gate, await sources.probes[gate.probe](check.params ?? {}, signal))
}

function advised(gate: Gate, verdict: Verdict): Verdict {
  return verdict.status === 'fail' && gate.next && !verdict.next ? { ...verdict, next: gate.next } : verdict
}

function judgeObjects(kind: string, read: Result<KubeObject[]>, expect: Expectation): Verdict {
  if (read.ok) return judge(kind, read.value, expect)
  return unreadable(read)
}

/** Asks every machine; one that can't be asked leaves the whole gate unknown. */
async function lookAtMachines(
  at: { nodes: string; type: string; id?: string },
  expect: Expectation,
  talos: TalosPort,
  signal: AbortSignal,
): Promise<Verdict> {
  const answers = await Promise.all(
    listOf(at.nodes).map(async (node) => ({ node, read: await talos.get(node, at.type, at.id, signal) })),
  )
  const failed = answers.flatMap(({ read }) => (read.ok ? [] : [read]))
  if (failed.length > 0) return unreadable(...failed)
  const resources = answers.flatMap(({ node, read }): Observed[] =>
    read.ok ? read.value.map((resource) => ({ kind: at.type, metadata: { name: node }, spec: resource.spec })) : [],
  )
  return judge(at.type, resources, { ...expect, named: at.nodes })
}

async function pollGate(
  ask: () => Promise<Verdict>,
  everySec: number,
  signal: AbortSignal,
  emit: (verdict: Verdict) => void,
): Promise<void> {
  while (!signal.aborted) {
    emit(await ask())
    await delay(everySec * 1000, undefined, { signal }).catch(() => {})
  }
}

async function watchGate(
  gate: Gate,
  ref: Parameters<KubePort['watch']>[0],
  expect: Expectation,
  kube: KubePort,
  signal: AbortSignal,
  emit: (verdict: Verdict) => void,
): Promise<void> {
  let current: { verdict: Verdict; objects: KubeObject[] } | undefined
  const explain = async () => {
    const shown = current
    if (!shown || shown.verdict.status === 'pass' || !isWorkload(ref.kind)) return
    const reasons = await Promise.all(shown.objects.slice(0, 3).map((object) => podReasons(kube, object, signal)))
    if (current !== shown || reasons.flat().length === 0 || signal.aborted) return
    const waitingFor = [...(shown.verdict.waitingFor ?? []), ...reasons.flat()]
    emit({ ...shown.verdict, detail: `${shown.verdict.detail}; ${reasons.flat()[0]}`, waitingFor })
  }
  const timer = setInterval(() => void explain(), reasonsEveryMs)
  try {
    await kube.watch(ref, signal, (read) => {
      const verdict = advised(gate, judgeObjects(ref.kind, read, expect))
      const first = current === undefined
      current = { verdict, objects: read.ok ? read.value : [] }
      emit(verdict)
      if (first) void explain()
    })
  } finally {
    clearInterval(timer)
  }
}

const isWorkload = (kind: string) => ['Deployment', 'DaemonSet', 'StatefulSet'].includes(kind)

/** Feeds on verdicts until one has passed for `stableMs` on end, one is final, the time is over or we are interrupted. */
async function untilPassed(
  observe: (signal: AbortSignal, emit: (verdict: Verdict) => void) => Promise<void>,
  stableMs: number,
  options: WaitOptions,
): Promise<Verdict> {
  const { promise, resolve, reject } = Promise.withResolvers<Verdict>()
  const observing = new AbortController()
  let last: Verdict = { status: 'unknown', detail: 'no answer within the time', cause: 'unreachable' }
  let shown = ''
  let stable: NodeJS.Timeout | undefined
  const give = () => resolve(last)
  const show = (lines: string[]) => {
    const text = lines.join('\n')
    if (text !== shown) options.onWaiting(lines)
    shown = text
  }

  const emit = (verdict: Verdict) => {
    if (observing.signal.aborted) return
    last = verdict
    if (verdict.status === 'pass') {
      if (stableMs === 0) return give()
      stable ??= setTimeout(give, stableMs)
      return show([`${verdict.detail}: holds, has to for ${Math.ceil(stableMs / 1000)} s`])
    }
    clearTimeout(stable)
    stable = undefined
    if (verdict.final) return give()
    show(verdict.waitingFor ?? [verdict.detail])
  }

  const interrupt = () => resolve(last.status === 'pass' ? interrupted : last)
  options.signal.addEventListener('abort', interrupt, { once: true })
  if (options.signal.aborted) interrupt()
  const deadline = setTimeout(
    () =>
      resolve(
        last.status === 'pass' ? { ...last, status: 'fail', detail: `${last.detail}, but not long enough` } : last,
      ),
    Math.max(0, options.deadline - performance.now()),
  )
  observe(observing.signal, emit).catch(reject)
  try {
    return await promise
  } finally {
    clearTimeout(deadline)
    clearTimeout(stable)
    options.signal.removeEventListener('abort', interrupt)
    observing.abort()
  }
}
