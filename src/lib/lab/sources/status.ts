/** The status of a source, as source-controller 1.8 writes it (internal/reconcile/summarize). */
import type { KubeObject } from '../../types.ts'
import { type Condition, conditionsOf, nextConditions } from '../kube/conditions.ts'
import type { Artifact } from './artifacts.ts'

/** A failure that source-controller reports with a reason; `stalled` ones it doesn't retry. */
export class SourceError extends Error {
  readonly reason: string
  readonly stalled: boolean
  constructor(reason: string, message: string, stalled = false) {
    super(message)
    this.name = 'SourceError'
    this.reason = reason
    this.stalled = stalled
  }
}

export type SourceStatus = { [key: string]: unknown }

/** The annotation with which `flux reconcile` asks, and its answer in the status. */
const requestedAt = 'reconcile.fluxcd.io/requestedAt'

function handledRequest(object: KubeObject): SourceStatus {
  const asked = object.metadata.annotations?.[requestedAt]
  return asked === undefined ? {} : { lastHandledReconcileAt: asked }
}

/** @param message of both conditions, which each kind words in its own way */
export function storedStatus(
  object: KubeObject,
  artifact: Artifact,
  message: string,
  reason = 'Succeeded',
): SourceStatus {
  const stored = (type: string): Condition => ({ type, status: 'True', reason, message })
  const before = object.status?.artifact as Artifact | undefined
  const same =
    before?.revision === artifact.revision && before.digest === artifact.digest && before.url === artifact.url
  return {
    ...handledRequest(object),
    observedGeneration: object.metadata.generation ?? 1,
    artifact: same ? before : artifact,
    conditions: nextConditions(object, [stored('Ready'), stored('ArtifactInStorage')]),
  }
}

/** An artifact that was stored earlier stays; the generation counts as observed only when nothing more will be tried. */
export function failedStatus(object: KubeObject, error: SourceError): SourceStatus {
  const { reason, message, stalled } = error
  const kept = conditionsOf(object).filter(({ type }) => type === 'ArtifactInStorage')
  const trying: Condition = stalled
    ? { type: 'Stalled', status: 'True', reason, message }
    : { type: 'Reconciling', status: 'True', reason: 'ProgressingWithRetry', message }
  return {
    ...handledRequest(object),
    observedGeneration: stalled ? (object.metadata.generation ?? 1) : (object.status?.observedGeneration ?? -1),
    conditions: nextConditions(object, [
      trying,
      { type: 'Ready', status: 'False', reason, message },
      { type: 'FetchFailed', status: 'True', reason, message },
      ...kept,
    ]),
  }
}

/** What stands there while a fetch takes its time. */
export function progressingStatus(object: KubeObject): SourceStatus {
  const message = 'reconciliation in progress'
  const kept = conditionsOf(object).filter(({ type }) => type === 'ArtifactInStorage')
  return {
    observedGeneration: object.status?.observedGeneration ?? -1,
    conditions: nextConditions(object, [
      { type: 'Reconciling', status: 'True', reason: 'Progressing', message },
      { type: 'Ready', status: 'Unknown', reason: 'Progressing', message },
      ...kept,
    ]),
  }
}

/** A Go duration (`1h30m`, `1m0s`) in milliseconds; undefined when it isn't one. */
export function parseDuration(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^(\d+(\.\d+)?(ms|h|m|s))+$/.test(text)) return undefined
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
  let total = 0
  for (const [, value, , unit = 's'] of text.matchAll(/(\d+(\.\d+)?)(ms|h|m|s)/g)) {
    total += Number(value) * (units[unit] ?? 0)
  }
  return total
}
