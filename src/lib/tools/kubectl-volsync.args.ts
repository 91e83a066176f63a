/** Argv of kubectl 1.35 for VolSync's objects, and for workloads that stand still while their volume is written. */
import type { Command } from '../types.ts'
import { fieldManager, reconcileKey } from './kubectl-hold.args.ts'

/** On a workload that was scaled to 0: by which restore, and how many replicas it had. Whoever sees it can bring it back. */
export const parkedKeys = { by: 'k8sops.dev/parked-by', replicas: 'k8sops.dev/parked-replicas' } as const

/** On a ReplicationSource. */
export const restoreKeys = {
  /** The restore that has written its volume last. */
  by: 'k8sops.dev/restored-by',
  /** When that began which ended with an application that was Ready on what was restored (RFC 3339). */
  at: 'k8sops.dev/restored-at',
} as const

export interface Place {
  namespace: string
  name: string
}

export interface Workload extends Place {
  kind: 'Deployment' | 'StatefulSet'
  replicas: number
}

const kubectl = (context: string, namespace: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, '-n', namespace, ...args],
})

const sources = 'replicationsources.volsync.backube'
const destinations = 'replicationdestinations.volsync.backube'

/**
 * Not kubectl's own field manager (see `fieldManager`): Flux would take the trigger away in the middle, and VolSync then never says that it
 * was answered.
 */
const patchArgs = (context: string, { namespace, name }: Place, resource: string, patch: object): Command =>
  kubectl(context, namespace, [
    'patch',
    resource,
    name,
    '--type',
    'merge',
    '--field-manager',
    fieldManager,
    '-p',
    JSON.stringify(patch),
  ])

/** A synchronisation now, whatever the schedule says. @param unlock restic removes stale locks of the repository before it */
export const syncNowArgs = (context: string, source: Place, token: string, unlock: boolean): Command =>
  patchArgs(context, source, sources, {
    spec: { trigger: { manual: token }, ...(unlock ? { restic: { unlock: token } } : {}) },
  })

/** The schedule counts again: VolSync 0.15 does not look at it while there is a manual trigger. */
export const scheduleAgainArgs = (context: string, source: Place, unlocked: boolean): Command =>
  patchArgs(context, source, sources, {
    spec: { trigger: { manual: null }, ...(unlocked ? { restic: { unlock: null } } : {}) },
  })

export const noteRestoreArgs = (context: string, source: Place, note: { by?: string; at?: string }): Command => {
  const entries = Object.entries(note).map(([key, value]) => [restoreKeys[key as keyof typeof note], value])
  return patchArgs(context, source, sources, { metadata: { annotations: Object.fromEntries(entries) } })
}

export const getSourceArgs = (context: string, { namespace, name }: Place): Command =>
  kubectl(context, namespace, ['get', sources, name, '-o', 'json'])

export const getObjectInArgs = (context: string, resource: string, { namespace, name }: Place): Command =>
  kubectl(context, namespace, ['get', resource, name, '-o', 'json'])

/** Applies what comes on stdin. */
export const applyInArgs = (context: string, namespace: string): Command =>
  kubectl(context, namespace, ['apply', '--server-side', '--field-manager', fieldManager, '-f', '-'])

/** Its mover ends with it. */
export const deleteDestinationArgs = (context: string, { namespace, name }: Place): Command =>
  kubectl(context, namespace, ['delete', destinations, name, '--ignore-not-found'])

export const deleteSecretArgs = (context: string, { namespace, name }: Place): Command =>
  kubectl(context, namespace, ['delete', 'secrets', name, '--ignore-not-found'])

/** A claim says which restore has filled it. */
export const noteClaimArgs = (context: string, claim: Place, token: string): Command =>
  patchArgs(context, claim, 'persistentvolumeclaims', { metadata: { annotations: { [restoreKeys.by]: token } } })

const resourceOf = (kind: Workload['kind']): string => `${kind.toLowerCase()}s.apps`

/**
 * To 0, with what it had written down in the same request. Its Kustomization leaves it alone meanwhile: without that, a hold that ends
 * too early would start the application on a volume that is half written.
 */
export const parkArgs = (context: string, workload: Workload, by: string): Command =>
  patchArgs(context, workload, resourceOf(workload.kind), {
    metadata: {
      annotations: {
        [parkedKeys.by]: by,
        [parkedKeys.replicas]: String(workload.replicas),
        [reconcileKey]: 'disabled',
      },
    },
    spec: { replicas: 0 },
  })

export const unparkArgs = (context: string, workload: Workload): Command =>
  patchArgs(context, workload, resourceOf(workload.kind), {
    metadata: { annotations: { [parkedKeys.by]: null, [parkedKeys.replicas]: null, [reconcileKey]: null } },
    spec: { replicas: workload.replicas },
  })
