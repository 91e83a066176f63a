/** The ReplicationDestination of a restore: everything about the repository and the mover as its ReplicationSource has it. Pure. */
import type { RestoreChoice } from '../tools/filters.args.ts'
import type { KubeObject } from '../types.ts'
import { volsyncVersion } from './backup-facts.ts'

/** What both directions have in common (VolSync 0.15, api/v1alpha1). */
const common = [
  'repository',
  'customCA',
  'cacheCapacity',
  'cacheStorageClassName',
  'cacheAccessModes',
  'moverAffinity',
  'moverPodLabels',
  'moverResources',
  'moverSecurityContext',
  'moverServiceAccount',
  'moverVolumes',
]

/** Another namespace, and the Secret of the repository there. */
export interface Elsewhere {
  namespace: string
  repository: string
}

/**
 * Writes straight into the claim of the source's name, and takes away what the snapshot does not have.
 * @param source as `kubectl get -o json` prints it
 * @param elsewhere otherwise in the source's own namespace
 * @throws Error when it is no ReplicationSource of restic
 */
export function restoreDestination(
  source: KubeObject,
  { name, token }: { name: string; token: string },
  choice: RestoreChoice,
  elsewhere?: Elsewhere,
): KubeObject {
  const restic = source.spec?.restic as { [key: string]: unknown } | undefined
  const claim = source.spec?.sourcePVC
  if (source.kind !== 'ReplicationSource' || !restic || typeof claim !== 'string')
    throw new Error(`not a ReplicationSource that restic copies: ${source.kind} ${source.metadata?.name}`)
  const taken = common.filter((key) => restic[key] !== undefined).map((key) => [key, restic[key]])
  return {
    apiVersion: volsyncVersion,
    kind: 'ReplicationDestination',
    metadata: { name, namespace: elsewhere?.namespace ?? source.metadata.namespace ?? '' },
    spec: {
      trigger: { manual: token },
      restic: {
        ...Object.fromEntries(taken),
        ...(elsewhere ? { repository: elsewhere.repository } : {}),
        copyMethod: 'Direct',
        destinationPVC: claim,
        enableFileDeletion: true,
        cleanupCachePVC: true,
        ...(choice.at === undefined ? {} : { restoreAsOf: choice.at }),
        ...(choice.previous > 0 ? { previous: choice.previous } : {}),
      },
    },
  }
}

/**
 * A Secret or a claim as a new object: what it holds or asks for, and nothing of where it came from.
 * @throws Error for any other kind
 */
export function copyOf(object: KubeObject, { namespace, name }: { namespace: string; name: string }): object {
  const { apiVersion, kind, data, spec = {} } = object
  const head = { apiVersion, kind, metadata: { name, namespace } }
  if (kind === 'Secret') return { ...head, type: 'Opaque', data }
  if (kind !== 'PersistentVolumeClaim')
    throw new Error(`neither a Secret nor a claim: ${kind} ${object.metadata?.name}`)
  const { accessModes, resources, storageClassName, volumeMode } = spec
  return { ...head, spec: { accessModes, resources, storageClassName, volumeMode } }
}

const secondsAt: [gigabytes: number, seconds: number][] = [
  [0, 0],
  [10, 15 * 60],
  [50, 60 * 60],
  [200, 4 * 3600],
]

/**
 * How long a restore of so much should take at most: the requirements' table (10 GB in 15 minutes, 50 GB in an hour, 200 GB in four), in
 * between in proportion, above as its last part goes.
 */
export function expectedSeconds(bytes: number): number {
  const gigabytes = bytes / 1e9
  const above = secondsAt.findIndex(([size]) => gigabytes <= size)
  const upper = above < 1 ? (gigabytes <= 0 ? 1 : secondsAt.length - 1) : above
  const [[smaller, from], [larger, to]] = [secondsAt[upper - 1]!, secondsAt[upper]!]
  return Math.round(from + ((gigabytes - smaller) / (larger - smaller)) * (to - from))
}
