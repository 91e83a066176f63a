/** The Deployments and disruption budgets that Rook keeps for a CephCluster (rook v1.19, pkg/operator/ceph). */
import type { Manifest } from '../kube/writer.ts'
import { ownerReference } from './operator.ts'

const labelsOf = (app: string, id: string, cluster: string) => ({
  app,
  rook_cluster: cluster,
  ceph_daemon_id: id,
  ...(app === 'rook-ceph-osd' ? { 'ceph-osd-id': id } : {}),
})

/**
 * One daemon, bound to its node as Rook binds monitors on host paths and OSDs on raw disks.
 * @param owner reference to the CephCluster, so that the daemons go with it
 */
export function daemonDeployment(
  app: 'rook-ceph-mon' | 'rook-ceph-mgr' | 'rook-ceph-osd',
  id: string,
  { namespace, image, owner, node }: { namespace: string; image: string; owner: Manifest; node?: string },
): Manifest {
  const labels = labelsOf(app, id, namespace)
  const host: Record<string, string> =
    node !== undefined && app === 'rook-ceph-osd' ? { 'topology-location-host': node } : {}
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: `${app}-${id}`,
      namespace,
      labels: { ...labels, ...host },
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels: { ...labels, ...host } },
        spec: {
          ...(node === undefined ? { affinity: apart(app) } : { nodeSelector: { 'kubernetes.io/hostname': node } }),
          // Rook's own: a daemon whose node is lost is started elsewhere soon, where it may be.
          tolerations: [
            { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 },
          ],
          containers: [{ name: app.replace('rook-ceph-', ''), image }],
        },
      },
    },
  }
}

/** allowMultiplePerNode: false */
const apart = (app: string) => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
    ],
  },
})

/** What its CSI operator runs for block volumes: the controller, whose sidecars `startRbdDriver` plays, and the driver's entry. */
export function rbdController(namespace: string, owner: Manifest): Manifest[] {
  const driver = `${namespace}.rbd.csi.ceph.com`
  const app = `${driver}-ctrlplugin`
  const sidecar = (name: string, version: string) => ({ name, image: `registry.k8s.io/sig-storage/${name}:${version}` })
  return [
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name: driver },
      spec: { attachRequired: true, podInfoOnMount: false, fsGroupPolicy: 'File' },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: app, namespace, ownerReferences: [ownerReference(owner)] },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app } },
        template: {
          metadata: { labels: { app } },
          spec: { containers: [sidecar('csi-provisioner', 'v6.1.1'), sidecar('csi-attacher', 'v4.11.0')] },
        },
      },
    },
  ]
}

/** The budget of monitors or managers. */
export function daemonBudget(app: 'rook-ceph-mon' | 'rook-ceph-mgr', namespace: string): Manifest {
  return budget(`${app}-pdb`, namespace, { app }, 1)
}

export const defaultOsdBudget = 'rook-ceph-osd'
const blockingPrefix = 'rook-ceph-osd-host-'

/**
 * The budgets of OSDs: one for all of them as long as every placement group is whole; else, with a host's OSDs away, one
 * for each other host that lets nobody go (disruption/clusterdisruption/osd.go).
 */
export function osdBudgets(namespace: string, hosts: string[], away: ReadonlySet<string>, whole: boolean): Manifest[] {
  const app = 'rook-ceph-osd'
  if (away.size === 0 && whole) return [budget(defaultOsdBudget, namespace, { app }, 1)]
  return hosts
    .filter((host) => !away.has(host))
    .map((host) => budget(`${blockingPrefix}${host}`, namespace, { app, 'topology-location-host': host }, 0))
}

/** Whether a budget is one of those above: what else stands in the namespace isn't Rook's. */
export const isOsdBudget = (name: string): boolean => name === defaultOsdBudget || name.startsWith(blockingPrefix)

function budget(
  name: string,
  namespace: string,
  matchLabels: Record<string, string>,
  maxUnavailable: number,
): Manifest {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace },
    spec: { maxUnavailable, selector: { matchLabels } },
  }
}
