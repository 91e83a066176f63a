/** The fault `other-upgrader-active`: tuppr or system-upgrade-controller is in the middle of an upgrade of its own. */
import { setTimeout as delay } from 'node:timers/promises'
import { standInGroup } from '../charts/crds.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { now } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { ActiveFault, Lab } from '../types.ts'
import { followFault } from './fault-follower.ts'

const name = 'lab-other-upgrader'
const fieldManager = 'k8sops-lab'
const servedDeadlineMs = 20_000

interface Upgrader {
  group: string
  object: Manifest
  status: { [key: string]: unknown }
}

export function followOtherUpgrader(lab: Lab, view: ClusterView): () => void {
  let made: Upgrader | undefined

  return followFault(lab, view, 'other-upgrader-active', {
    async begin(fault) {
      const upgrader = upgraderOf(fault, lab)
      for (const { manifest } of await standInGroup(upgrader.group, new Set()))
        await view.writer().apply(manifest as unknown as Manifest, fieldManager)
      made = upgrader
      const { apiVersion, kind } = upgrader.object
      for (const deadline = Date.now() + servedDeadlineMs; !view.serves({ apiVersion, kind }); await delay(100)) {
        if (Date.now() > deadline) throw new Error(`${kind} is not served after ${servedDeadlineMs / 1000} s`)
      }
      const object = await view.writer().apply(upgrader.object, fieldManager)
      await view.writer().patchStatus(object, upgrader.status)
    },
    // The CRD stays, as it would: the upgrader is still installed, it only has nothing to do.
    async end() {
      if (!made) return
      const { apiVersion, kind, metadata } = made.object
      const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace }
      await view.writer().remove({ apiVersion, kind, name, ...namespace })
      made = undefined
    },
  })
}

function upgraderOf({ params }: ActiveFault, lab: Lab): Upgrader {
  const node = lab.spec.machines[0]?.nodeAddress ?? ''
  switch (params?.by) {
    case 'system-upgrade-controller':
      return {
        group: 'upgrade.cattle.io',
        object: {
          apiVersion: 'upgrade.cattle.io/v1',
          kind: 'Plan',
          metadata: { name, namespace: 'default' },
          spec: { version: 'v1.13.0', upgrade: { image: 'ghcr.io/siderolabs/talosctl' }, concurrency: 1 },
        },
        status: { applying: [node], latestVersion: 'v1.13.0' },
      }
    case 'tuppr-kubernetes':
      return tuppr('KubernetesUpgrade', { kubernetes: { version: 'v1.35.5' } }, params, node)
    default:
      return tuppr('TalosUpgrade', { talos: { version: 'v1.13.0' } }, params, node)
  }
}

function tuppr(kind: string, spec: object, params: ActiveFault['params'], node: string): Upgrader {
  const phase = params?.phase ?? 'Upgrading'
  return {
    group: 'tuppr.home-operations.com',
    object: { apiVersion: 'tuppr.home-operations.com/v1alpha1', kind, metadata: { name }, spec },
    status: { phase, currentNode: node, message: `${phase} (fault of the lab)`, lastUpdated: now() },
  }
}
