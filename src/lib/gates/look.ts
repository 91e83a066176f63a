/** One look at what a gate is about: Kubernetes objects, resources of machines, or several of both. */
import type { KubeObject, KubePort, ObjectRef, Result, TalosPort, Verdict } from '../types.ts'
import { judge, type Observed } from './conditions.ts'
import { countOf, listOf } from './fill.ts'
import type { Condition, Gate, ObjectLook, TalosLook } from './types.ts'
import { unreadable } from './unreadable.ts'

export interface Reads {
  kube: KubePort
  talos: TalosPort
  /** Milliseconds since 1970. */
  now: () => number
}

/** The looks of a gate; undefined for one that has a probe. */
export function looksOf(gate: Gate): (ObjectLook | TalosLook)[] | undefined {
  if ('probe' in gate) return undefined
  return 'all' in gate ? gate.all : [gate]
}

export async function lookAt(look: ObjectLook | TalosLook, reads: Reads, signal: AbortSignal): Promise<Verdict> {
  if ('talos' in look) return lookAtMachines(look, reads, signal)
  return judgeObjects(look, await reads.kube.list(askedFor(look), signal), reads.now())
}

/** A gate about one object by name needs no list of all its neighbours. */
export function askedFor({ object, expect: { named, where = [] } }: ObjectLook): ObjectRef {
  const names = named === undefined ? where.flatMap(namesIn) : listOf(named)
  const [name, namespace] = names.length === 1 ? (names[0] ?? '').split('/').reverse() : []
  return name ? { ...(namespace ? { namespace } : {}), ...object, name } : object
}

const namesIn = (condition: Condition): string[] =>
  'in' in condition && condition.path === 'metadata.name' ? condition.in.flatMap(listOf) : []

/** A kind that isn't served (its CRD is missing) has no objects: that will do only where none is expected. */
export function judgeObjects({ object, expect }: ObjectLook, read: Result<KubeObject[]>, now: number): Verdict {
  if (read.ok) return judge(object.kind, read.value, expect, now)
  if (read.why !== 'not-found') return unreadable(read)
  const least = countOf(expect.atLeast)
  if (least === 0) return { status: 'pass', detail: `no ${object.kind}, as its kind is not served` }
  return { status: 'fail', detail: `${read.detail}; at least ${least} expected`, waitingFor: [read.detail] }
}

/** Asks every machine, and each of them must meet the expectation. */
async function lookAtMachines({ talos: at, expect }: TalosLook, reads: Reads, signal: AbortSignal): Promise<Verdict> {
  const nodes = listOf(at.nodes)
  const verdicts = await Promise.all(
    nodes.map(async (node) => {
      const read = await reads.talos.get(node, at.type, at.id, signal)
      if (!read.ok) return unreadable(read)
      const resources = read.value.map(({ spec }): Observed => ({ kind: at.type, metadata: { name: node }, spec }))
      return judge(`${at.type} ${node}`, resources, expect, reads.now())
    }),
  )
  const verdict = merged(verdicts)
  return verdict.status === 'pass' && nodes.length > 1
    ? { ...verdict, detail: `${nodes.length} × ${at.type}` }
    : verdict
}

/** What several verdicts come to: `fail` when one of them is, else `unknown` when one is. */
export function merged(verdicts: Verdict[]): Verdict {
  const since = verdicts
    .flatMap((verdict) => verdict.since ?? [])
    .toSorted()
    .at(-1)
  const when = since === undefined ? {} : { since }
  const open = verdicts.filter((verdict) => verdict.status !== 'pass')
  const [first] = open
  if (!first) {
    const details = new Set(verdicts.map(({ detail }) => detail))
    return { status: 'pass', detail: [...details].join('; '), ...when }
  }
  if (open.length === 1) return first
  const waitingFor = open.flatMap((verdict) => verdict.waitingFor ?? [verdict.detail])
  const failed = open.some(({ status }) => status === 'fail')
  return {
    status: failed ? 'fail' : 'unknown',
    detail: `${waitingFor[0]} (and ${waitingFor.length - 1} more)`,
    waitingFor,
    ...when,
    ...(open.every(({ cause }) => cause === 'unreachable') ? { cause: 'unreachable' as const } : {}),
    ...(open.every(({ settling }) => settling) ? { settling: true as const } : {}),
  }
}
