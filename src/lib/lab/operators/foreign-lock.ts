/** The fault `lock-stolen`: somebody else writes himself into k8sops's Lease and goes on renewing it. */
import type { KubeObject } from '../../types.ts'
import { clockOffsetMs } from '../clock.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import type { Lab } from '../types.ts'
import { followFault } from './fault-follower.ts'

const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }
const namespace = 'kube-system'
const ours = { 'app.kubernetes.io/managed-by': 'k8sops' }
const renewMs = 2_000

export function followForeignLock(lab: Lab, view: ClusterView): () => void {
  let renewing: NodeJS.Timeout | undefined
  let thief = ''

  const list = async (): Promise<KubeObject[]> => {
    const listed = await view.reads()?.list({
      ...lease,
      namespace,
      labelSelector: 'app.kubernetes.io/managed-by=k8sops',
    })
    if (!listed?.ok) throw new Error(listed?.detail ?? 'the API server has never been up')
    return listed.value
  }
  const time = () => new Date(Date.now() + clockOffsetMs(lab)).toISOString().replace('Z', '000Z')

  /** Takes every lock that k8sops has there, also one that it takes later. */
  const steal = async (named: string | undefined) => {
    const found = await list()
    if (named !== undefined && !found.some(({ metadata }) => metadata.name === named)) {
      await view
        .writer()
        .apply({ ...lease, metadata: { name: named, namespace, labels: ours }, spec: held(0) }, 'k8sops-lab')
    }
    for (const one of found.filter(({ metadata }) => named === undefined || metadata.name === named)) {
      const { holderIdentity, leaseTransitions = 0 } = one.spec as {
        holderIdentity?: string
        leaseTransitions?: number
      }
      // A free one is nobody's, so there is nothing to steal, unless it was asked for by name.
      if (!holderIdentity && named === undefined) continue
      const stolen = holderIdentity === thief ? { renewTime: time() } : held(leaseTransitions + 1)
      await view.writer().patch(one, { spec: stolen })
    }
  }
  const held = (leaseTransitions: number) => ({
    holderIdentity: thief,
    leaseDurationSeconds: 15,
    leaseTransitions,
    acquireTime: time(),
    renewTime: time(),
  })

  const end = followFault(lab, view, 'lock-stolen', {
    async begin({ params }) {
      thief = params?.holder ?? 'somebody@elsewhere 4711-1 another-run'
      await steal(params?.lease)
      renewing = setInterval(() => {
        steal(params?.lease).catch((error: Error) => lab.log('operators', `lock-stolen: ${error.message}`))
      }, renewMs)
    },
    async end() {
      clearInterval(renewing)
      for (const one of await list()) {
        // An empty holder is how k8sops itself gives a Lease back.
        if (one.spec?.holderIdentity === thief) await view.writer().patch(one, { spec: { holderIdentity: '' } })
      }
    },
  })
  return () => {
    clearInterval(renewing)
    end()
  }
}
