/** Clocks that went wrong: what a machine, or everything that is simulated, takes for the time (fault `clock-moves`). */
import type { Lab } from './types.ts'

/** Milliseconds that the clock is ahead (or behind, when negative). @param node whose clock; without it that of the cluster's operators */
export function clockOffsetMs(lab: Lab, node?: string): number {
  const fault = lab.faults.active('clock-moves', node)
  // One machine's clock is nobody else's.
  if (!fault || (node === undefined && fault.node !== undefined)) return 0
  return Number(fault.params?.seconds ?? 7200) * 1000
}

/** RFC 3339 without fractions, as metav1.Time is written, by that clock. */
export function labTime(lab: Lab, node?: string): string {
  return `${new Date(Date.now() + clockOffsetMs(lab, node)).toISOString().slice(0, 19)}Z`
}
