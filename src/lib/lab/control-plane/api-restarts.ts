/** The fault `api-restarts`: the API server's process is killed, and started again as a kubelet would. */
import type { Lab } from '../types.ts'

/**
 * @param kill ends the process of the moment; false when none runs
 * @returns how to end it
 */
export function followApiRestarts(lab: Lab, kill: () => boolean): () => void {
  let on: string | undefined
  let timer: NodeJS.Timeout | undefined

  const follow = () => {
    const fault = lab.faults.active('api-restarts')
    const wanted = fault && JSON.stringify(fault)
    if (wanted === on) return
    clearTimeout(timer)
    on = wanted
    if (!fault) return
    let left = fault.params?.times === 'forever' ? Number.POSITIVE_INFINITY : Number(fault.params?.times ?? 1)
    const everyMs = Number(fault.params?.every ?? 10) * 1000
    const turn = () => {
      if (kill()) left--
      if (left > 0) timer = setTimeout(turn, everyMs)
    }
    turn()
  }
  const unsubscribe = lab.faults.onChange(follow)
  follow()
  return () => {
    clearTimeout(timer)
    unsubscribe()
  }
}
