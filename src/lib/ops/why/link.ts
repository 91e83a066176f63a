/** The vocabulary of `why`: what can be broken, and what mends it. */
import type { Condition, KubeObject, ObjectRef, Result } from '../../types.ts'

/** Stable: programs decide by it. */
export const breakClasses = {
  'not-applied': 'no Kustomization of the cluster has applied it yet',
  suspended: 'somebody holds it still',
  'dependency-missing': 'it depends on something that is not there',
  'dependency-cycle': 'it waits for itself',
  'controller-down': 'the controller that should look at it does not run',
  'source-missing': 'its source is not there',
  'source-failed': 'its source can not be fetched',
  'chart-failed': 'its chart can not be fetched',
  'settings-missing': 'a ConfigMap that it takes values from is not there',
  'secret-missing': 'a Secret that it needs is not there, and nothing makes it',
  'external-secret-failed': 'External Secrets can not make a Secret',
  'store-missing': 'the store of its secrets is not there',
  'store-failed': 'the store of its secrets does not answer',
  'build-failed': 'its manifests can not be built',
  'apply-failed': 'the API server refuses its manifests',
  'release-failed': 'its Helm release failed',
  'health-failed': 'what it applied does not become healthy',
  'pods-refused': 'its pods are refused: quota, limits or policy',
  'pod-unschedulable': 'no node takes its pod',
  'volume-pending': 'a volume is not there',
  'image-failed': 'an image can not be pulled',
  'container-crashed': 'a container ends again and again',
  'container-misconfigured': 'a container can not be made',
  'pod-not-ready': 'its pod runs, and is not ready',
  'node-not-ready': 'the node of its pod is not ready',
  'machine-service-down': 'a service of the machine under its pod does not run',
} as const

export type BreakClass = keyof typeof breakClasses

export interface Link {
  class: BreakClass
  /** `Kind/namespace/name`, or `Kind/name`. */
  object: string
  /** In its own words. */
  message: string
  /** Since when (RFC 3339). */
  since: string | null
}

/** What the walk has to know next; the answers come in the same order. */
export type Need = ObjectRef | { talosServices: string }
export type Answer = Result<KubeObject[]>

/** A part of the walk: asks for what it needs, and returns the first broken link below it, if there is one. */
export type Walk<T = Link | undefined> = Generator<Need[], T, Answer[]>

/** One question, one list; what is not served has no objects. What can't be read is told by the driver, and counts as nothing here. */
export function* ask(...needs: Need[]): Walk<KubeObject[][]> {
  if (needs.length === 0) return []
  const answers = yield needs
  return answers.map((answer) => (answer.ok ? answer.value : []))
}

export function* askOne(ref: ObjectRef): Walk<KubeObject | undefined> {
  const [found = []] = yield* ask(ref)
  return found.find(({ metadata }) => metadata.name === ref.name)
}

export const idOfObject = ({ kind, metadata }: KubeObject): string =>
  metadata.namespace ? `${kind}/${metadata.namespace}/${metadata.name}` : `${kind}/${metadata.name}`

export const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  ((object.status?.conditions ?? []) as Condition[]).find((one) => one.type === type)

export const isReady = (object: KubeObject): boolean => conditionOf(object, 'Ready')?.status === 'True'

/** A link about an object, in the words of one of its conditions. */
export function linkOf(kind: BreakClass, object: KubeObject, type = 'Ready', otherwise = ''): Link {
  const condition = conditionOf(object, type)
  return {
    class: kind,
    object: idOfObject(object),
    message: condition?.message?.trim() || otherwise || condition?.reason || breakClasses[kind],
    since: condition?.lastTransitionTime ?? object.metadata.creationTimestamp ?? null,
  }
}

/** The first of several walks that finds something. */
export function* firstOf(walks: Iterable<() => Walk>): Walk {
  for (const walk of walks) {
    const found = yield* walk()
    if (found) return found
  }
  return undefined
}
