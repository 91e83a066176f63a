/** Faults that are objects in the cluster: made when the fault comes, taken back when it goes. */
import type { ClusterView } from '../kube/cluster-view.ts'
import type { ActiveFault, Lab } from '../types.ts'

export interface FollowedFault {
  begin(fault: ActiveFault): Promise<void>
  /** Takes back what `begin` made, also when it came only to a part of it. */
  end(): Promise<void>
}

const retryMs = 1_000

/**
 * Follows one fault for as long as the lab runs. What fails is tried again: another fault may keep the API server away.
 * @returns how to end it
 */
export function followFault(lab: Lab, view: ClusterView, name: string, followed: FollowedFault): () => void {
  let on: string | undefined
  let busy: Promise<void> = Promise.resolve()
  let again: NodeJS.Timeout | undefined

  const follow = () => {
    clearTimeout(again)
    busy = busy.then(apply).catch((error: Error) => {
      lab.log('operators', `${name}: ${error.message}`)
      again = setTimeout(follow, retryMs)
    })
  }
  const apply = async () => {
    if (!view.reads()) return
    const fault = lab.faults.active(name)
    const wanted = fault && JSON.stringify(fault)
    if (wanted === on) return
    if (on !== undefined) {
      await followed.end()
      on = undefined
    }
    if (!fault) return
    // What fails in the middle is taken back before anything else.
    on = 'in part'
    await followed.begin(fault)
    on = wanted
  }
  const ends = [lab.faults.onChange(follow), view.onCrds(follow)]
  follow()
  return () => {
    clearTimeout(again)
    for (const end of ends) end()
  }
}
