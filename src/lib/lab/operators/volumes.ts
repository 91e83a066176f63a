/**
 * Storage as the sidecars of a CSI driver show it: claims get their volumes (external-provisioner), and what the real
 * attach-detach controller wants attached is attached (external-attacher). No disk exists.
 */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { type Operator, type PlayedKind, readObject, startOperator } from './operator.ts'

const rbd = 'rook-ceph.rbd.csi.ceph.com'
const local = 'openebs.io/local'
/** At pace 1; a map and an unmap of an RBD image. */
const seconds = { attach: 1, detach: 2 }
const askAgainMs = 500

/** Claims of Ceph's class, and VolumeAttachments. */
export function startRbdDriver(lab: Lab, view: ClusterView): Operator {
  const since = new Map<string, number>()

  const operator = startOperator(lab, view, {
    name: 'volume-attachments',
    pod: { app: 'rook-ceph.rbd.csi.ceph.com-ctrlplugin' },
    kinds: [
      ...volumeKinds(view, rbd, (claim) => ({
        csi: { driver: rbd, volumeHandle: `0001-0009-rook-ceph-${claim.metadata.uid}`, fsType: 'ext4' },
      })),
      { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment', reconcile: reconcileAttachment },
    ],
  })
  const unsubscribe = lab.faults.onChange(() => operator.again())

  async function reconcileAttachment(attachment: KubeObject): Promise<number | undefined> {
    const { attacher, nodeName } = attachment.spec as { attacher: string; nodeName: string }
    if (attacher !== rbd) return undefined
    const leaves = attachment.metadata.deletionTimestamp !== undefined
    // onChange of the faults looks again.
    if (leaves && lab.faults.active('volume-never-detaches', nodeName)) return undefined
    if (!leaves && attachment.status?.attached === true) return undefined
    const key = `${attachment.metadata.uid}/${leaves}`
    const leftMs = (since.get(key) ?? begin(key)) + wanted(leaves) - Date.now()
    if (leftMs > 0) return leftMs
    since.delete(key)
    if (leaves) {
      await view.writer().patch(attachment, { metadata: { finalizers: null } })
      return undefined
    }
    // Without the finalizer a detachment would be over before it began.
    await view
      .writer()
      .patch(attachment, { metadata: { finalizers: ['external-attacher/rook-ceph-rbd-csi-ceph-com'] } })
    await view.writer().patchStatus(attachment, { attached: true })
    return undefined
  }

  const begin = (key: string) => {
    const at = Date.now()
    since.set(key, at)
    return at
  }
  const wanted = (leaves: boolean) => (leaves ? seconds.detach : seconds.attach) * 1000 * lab.spec.pace

  return {
    ...operator,
    stop() {
      unsubscribe()
      operator.stop()
    },
  }
}

/** Claims of the node-local class: their volumes stay where the scheduler put their first pod. */
export function startLocalProvisioner(lab: Lab, view: ClusterView): Operator {
  return startOperator(lab, view, {
    name: 'openebs-localpv-provisioner',
    pod: { 'openebs.io/component-name': 'openebs-localpv-provisioner' },
    kinds: volumeKinds(view, local, (claim) => {
      const node = claim.metadata.annotations?.['volume.kubernetes.io/selected-node'] ?? ''
      const expression = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] }
      return {
        local: { path: `/var/mnt/openebs/pvc-${claim.metadata.uid}` },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
      }
    }),
  })
}

/** VolSync's populator fills a claim once the restore that it names has left an image. */
async function isRestored(
  view: ClusterView,
  namespace: string | undefined,
  { name }: { name: string },
): Promise<boolean> {
  const ref = { apiVersion: 'volsync.backube/v1alpha1', kind: 'ReplicationDestination', name }
  const restore = await readObject(view, { ...ref, ...(namespace === undefined ? {} : { namespace }) })
  return restore?.status?.latestImage !== undefined
}

/**
 * Volumes for claims, and their end once the claim is gone.
 * @param source the part of a PersistentVolume's spec that only this driver knows
 */
function volumeKinds(view: ClusterView, provisioner: string, source: (claim: KubeObject) => object): PlayedKind[] {
  const provisionedBy = 'pv.kubernetes.io/provisioned-by'
  const provision = async (claim: KubeObject): Promise<number | undefined> => {
    // The real volume controller writes the annotation when it wants a volume, for a late-binding class once there is a node.
    const asked = claim.metadata.annotations?.['volume.kubernetes.io/storage-provisioner']
    if (asked !== provisioner || claim.status?.phase !== 'Pending') return undefined
    const { uid = '', name, namespace } = claim.metadata
    const spec = claim.spec as {
      accessModes: string[]
      storageClassName: string
      resources: { requests: { storage: string } }
      dataSourceRef?: { kind: string; name: string }
    }
    if (
      spec.dataSourceRef?.kind === 'ReplicationDestination' &&
      !(await isRestored(view, namespace, spec.dataSourceRef))
    )
      return askAgainMs
    const volume: Manifest = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `pvc-${uid}`, annotations: { [provisionedBy]: provisioner } },
      spec: {
        accessModes: spec.accessModes,
        capacity: spec.resources.requests,
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: spec.storageClassName,
        ...source(claim),
      },
    }
    await view.writer().apply(volume, provisioner)
    return undefined
  }
  const reclaim = async ({ apiVersion, kind, metadata, status }: KubeObject): Promise<undefined> => {
    if (metadata.annotations?.[provisionedBy] !== provisioner || status?.phase !== 'Released') return
    await view.writer().remove({ apiVersion, kind, name: metadata.name })
  }
  return [
    { apiVersion: 'v1', kind: 'PersistentVolumeClaim', reconcile: provision },
    { apiVersion: 'v1', kind: 'PersistentVolume', reconcile: reclaim },
  ]
}
