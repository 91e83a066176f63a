/** flux-operator's summary of what it runs. */
import type { KubeObject } from '../../types.ts'
import { type Condition, isTrue, now } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { FluxInstanceSpec } from './distribution.ts'
import type { FindObject } from './instance.ts'

/** The FluxReport that flux-operator keeps beside an instance, from the instance's own status and what is watched. */
export function fluxReport(instance: KubeObject, find: FindObject): Manifest {
  const namespace = instance.metadata.namespace ?? ''
  const spec = instance.spec as unknown as FluxInstanceSpec
  const components = (instance.status?.components ?? []) as { name: string; repository: string; tag: string }[]
  const revision = String(instance.status?.lastAppliedRevision ?? '')
  const sync = find('Kustomization', namespace, spec.sync?.name || namespace)
  return {
    apiVersion: 'fluxcd.controlplane.io/v1',
    kind: 'FluxReport',
    metadata: { name: instance.metadata.name, namespace },
    spec: {
      distribution: {
        entitlement: 'Issued by controlplane',
        status: revision ? 'Installed' : 'Not Installed',
        version: revision.split('@')[0],
        managedBy: 'flux-operator',
      },
      components: components.map(({ name, repository, tag }) => {
        const deployment = find('Deployment', namespace, name)
        const ready = deployment ? isTrue(deployment, 'Available') : false
        return {
          name,
          image: `${repository}:${tag}`,
          ready,
          status: ready ? 'Current Deployment is available. Replicas: 1' : 'InProgress',
        }
      }),
      ...(sync
        ? {
            sync: {
              id: `kustomization/${namespace}`,
              path: spec.sync?.path,
              source: spec.sync?.url,
              ready: isTrue(sync, 'Ready'),
              status:
                ((sync.status?.conditions ?? []) as Condition[]).find(({ type }) => type === 'Ready')?.message ?? '',
            },
          }
        : {}),
    },
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'ReconciliationSucceeded',
          message: 'Reporting finished',
          lastTransitionTime: now(),
        },
      ],
    },
  }
}
