/** The fault `pdb-blocks-drain`: a budget of the cluster allows no disruption until the fault is cleared. */
import type { ClusterView } from '../kube/cluster-view.ts'
import type { Lab } from '../types.ts'
import { followFault } from './fault-follower.ts'
import { readObject } from './operator.ts'

const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }

export function followBlockedDrain(lab: Lab, view: ClusterView): () => void {
  /** What stood there before, to be put back. */
  let before: { namespace: string; name: string; spec: { [key: string]: unknown } } | undefined

  return followFault(lab, view, 'pdb-blocks-drain', {
    async begin({ params }) {
      const [namespace = '', name = ''] = (params?.name ?? 'lab-fixtures/web').split('/')
      const found = await readObject(view, { ...budget, namespace, name })
      if (!found) throw new Error(`there is no PodDisruptionBudget ${namespace}/${name} yet`)
      const { maxUnavailable = null, minAvailable = null } = found.spec as { [key: string]: unknown }
      before = { namespace, name, spec: { maxUnavailable, minAvailable } }
      await view.writer().patch(found, { spec: { maxUnavailable: 0, minAvailable: null } })
    },
    async end() {
      if (!before) return
      const { namespace, name, spec } = before
      await view.writer().patch({ ...budget, metadata: { namespace, name } }, { spec })
      before = undefined
    },
  })
}
