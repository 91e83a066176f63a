/** Plans of `ceph osd remove` and `ceph expand`, for tests of their order and of how they look. */
import { planExpand } from '../../src/lib/ops/ceph-expand.ts'
import { type OsdRemoveInput, planOsdAbort, planOsdRemove } from '../../src/lib/ops/ceph-osd-remove.ts'
import type { HoldableView } from '../../src/lib/ops/flux-choice.ts'
import { fluxView } from '../../src/lib/ops/flux-view.ts'
import type { Workload } from '../../src/lib/tools/kubectl-volsync.args.ts'
import type { Plan } from '../../src/lib/types.ts'
import { cluster } from './gates-world.ts'

export const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }

const namespace = 'rook-ceph'
const deployment = (name: string): Workload => ({ kind: 'Deployment', namespace, name, replicas: 1 })
const operator = deployment('rook-ceph-operator')
const note = {
  id: 'ceph.osd.remove/20261130T110000Z-00ff',
  owner: 'jane@desk',
  reason: 'removal of osd.3: dying',
  since: '2026-11-30T11:00:00Z',
  until: '2026-12-02T11:00:00Z',
  scope: 'app/rook-ceph',
}
const release = fluxView({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: 'rook-ceph', namespace },
}) as HoldableView
const limits = { rebalanceSec: 86_400, stallSec: 1800, settleSec: 1800 }
const place = { cluster: cluster(), target: { context: 'apps', talosconfig: 'talos/apps/clusterconfig/talosconfig' } }

export const removal = (change: Partial<OsdRemoveInput> = {}): OsdRemoveInput => ({
  ...place,
  operator,
  releases: [release],
  note,
  limits,
  osd: { id: '3', uid: 'u-3', namespace, node: 'apps-w1', host: 'apps-w1', deployment: deployment('rook-ceph-osd-3') },
  disk: { address: '10.25.13.14', device: 'nvme1n1', wipe: false },
  ...change,
})

export function cephPlans(): Plan[] {
  const { osd } = removal()
  const parked = [operator, osd.deployment].map((workload) => ({ by: note.id, workload }))
  const held = [{ ...release, suspended: true, hold: { ...note, detached: false } }]
  return [
    planOsdRemove(removal({ disk: { address: '10.25.13.14', device: 'nvme1n1', wipe: true } }), basis),
    planOsdAbort({ ...place, osd, operator, token: note.id, parked, held, whole: true, settleSec: 1800 }, basis),
    planExpand(
      {
        ...place,
        namespace,
        operator,
        nodes: ['apps-w1'],
        osds: 1,
        token: 'ceph.expand/20261130T110000Z-00ff',
        limits: { ...limits, makeSec: 1800 },
      },
      basis,
    ),
  ]
}
