/** Looks at a gate again and again: objects are watched, everything else is asked at an interval. */
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject, Verdict } from '../types.ts'
import { askedFor, judgeObjects, lookAt, merged, type Reads } from './look.ts'
import { podReasons } from './pods.ts'
import type { ObjectLook, TalosLook } from './types.ts'

/** Between two looks when a gate names no interval of its own. */
export const everySec = 2
/** A watched workload doesn't change while its pods tell why it isn't there: how often they are asked. */
const reasonsEveryMs = 3_000

type Emit = (verdict: Verdict) => void

/** Emits what all looks together come to, as soon as each of them has been answered, until `signal` aborts. */
export async function observe(
  looks: (ObjectLook | TalosLook)[],
  reads: Reads,
  interval: number | undefined,
  signal: AbortSignal,
  emit: Emit,
): Promise<void> {
  const current = new Map<number, Verdict>()
  await Promise.all(
    looks.map((look, index) => {
      const tell = (verdict: Verdict) => {
        current.set(index, verdict)
        if (current.size === looks.length) emit(merged([...current.values()]))
      }
      return 'object' in look
        ? watch(look, reads, interval, signal, tell)
        : poll(() => lookAt(look, reads, signal), interval ?? everySec, signal, tell)
    }),
  )
}

export async function poll(
  ask: () => Promise<Verdict>,
  interval: number,
  signal: AbortSignal,
  emit: Emit,
): Promise<void> {
  while (!signal.aborted) {
    emit(await ask())
    await delay(interval * 1000, undefined, { signal }).catch(() => {})
  }
}

async function watch(
  look: ObjectLook,
  reads: Reads,
  interval: number | undefined,
  signal: AbortSignal,
  emit: Emit,
): Promise<void> {
  const { kube, now } = reads
  let current: { verdict: Verdict; read: Parameters<typeof judgeObjects>[1] } | undefined
  const explain = async () => {
    const shown = current
    if (!shown?.read.ok || shown.verdict.status === 'pass' || !isWorkload(look.object.kind)) return
    const reasons = await Promise.all(
      shown.read.value.slice(0, 3).map((one: KubeObject) => podReasons(kube, one, signal)),
    )
    if (current !== shown || reasons.flat().length === 0 || signal.aborted) return
    const waitingFor = [...(shown.verdict.waitingFor ?? []), ...reasons.flat()]
    emit({ ...shown.verdict, detail: `${shown.verdict.detail}; ${reasons.flat()[0]}`, waitingFor })
  }
  const judgeAgain = () => {
    if (current) emit(judgeObjects(look, current.read, now()))
  }
  const timers = [
    setInterval(() => void explain(), reasonsEveryMs),
    // A time that an object names grows old without an event.
    ...(interval === undefined ? [] : [setInterval(judgeAgain, interval * 1000)]),
  ]
  try {
    await kube.watch(askedFor(look), signal, (read) => {
      const verdict = judgeObjects(look, read, now())
      const first = current === undefined
      current = { verdict, read }
      emit(verdict)
      if (first) void explain()
    })
  } finally {
    for (const timer of timers) clearInterval(timer)
  }
}

const isWorkload = (kind: string) => ['Deployment', 'DaemonSet', 'StatefulSet'].includes(kind)
