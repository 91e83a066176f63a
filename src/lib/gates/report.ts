/** What a look at many gates comes to, as rows and as an exit code. */
import { exitCodes } from '../errors.ts'
import type { Check, Json, Verdict } from '../types.ts'
import { setupGates } from './catalog/setup.ts'
import { gates as catalog } from './catalog.ts'
import { fillGate } from './fill.ts'
import type { Gate } from './types.ts'

export type ReportRow = { [key: string]: Json }

/** @param watched since when a verdict is what it is, by index, where we have seen it change (RFC 3339) */
export function reportRows(checks: Check[], verdicts: Verdict[], watched: (string | undefined)[] = []): ReportRow[] {
  return checks.map((check, index) => {
    const { gate: id, params = {} } = check
    const verdict = verdicts[index] ?? { status: 'unknown' as const, detail: 'not looked at' }
    const gate = fillGate(id, catalog[id as keyof typeof catalog] as Gate, params)
    const next = verdict.status === 'pass' ? undefined : verdict.next
    return {
      name: id,
      asserts: gate.title,
      params,
      verdict: verdict.status,
      reason: verdict.detail,
      waitingFor: verdict.status === 'pass' ? [] : (verdict.waitingFor ?? [verdict.detail]),
      since: verdict.since ?? watched[index] ?? null,
      next: next ?? null,
      runbook: gate.runbook,
    }
  })
}

/** 3 when one does not pass; 4 when nothing of the cluster could be asked at all. */
export function reportExitCode(checks: Check[], verdicts: Verdict[]): number {
  const open = verdicts.filter(({ status }) => status !== 'pass')
  if (open.length === 0) return exitCodes.ok
  const answered = verdicts.some(({ status }, index) => status === 'pass' && !isLocal(checks[index]))
  const unreachable = open.every((verdict) => verdict.status !== 'pass' && verdict.cause === 'unreachable')
  return unreachable && !answered ? exitCodes.unreachable : exitCodes.gate
}

/** About this machine and the repository: it passes with the cluster away. */
const isLocal = (check: Check | undefined) => check !== undefined && check.gate in setupGates
