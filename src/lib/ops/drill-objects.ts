/** What a restore drill makes: a namespace from which nothing can be reached, and the application's own pod on the restored volume. Pure. */

import { type DrillLimits, drillOutcome } from '../gates/drill-outcome.ts'
import { bytesOf } from '../repo/fields.ts'
import { driller, drillKeys, drillName, drillRecords, recordKey } from '../tools/drill-record.args.ts'
import type { KubeObject } from '../types.ts'

const podSecurityKey = 'pod-security.kubernetes.io/enforce'
const privilegedKey = 'volsync.backube/privileged-movers'

/**
 * A namespace for one drill: what runs in it may neither send nor receive (movers alone reach their buckets, by a policy of the whole cluster), and
 * can't take more than one restore needs.
 * @param home the namespace of the backup, as `kubectl get -o json` prints it: pods may do there what they may do here
 * @param storage size of the claim, `20Gi`
 * @throws Error when it is no Namespace
 */
export function drillNamespace(home: KubeObject, name: string, token: string, storage: string): object[] {
  if (home.kind !== 'Namespace') throw new Error(`not a Namespace: ${home.kind} ${home.metadata?.name}`)
  const { labels = {}, annotations = {} } = home.metadata
  const privileged = annotations[privilegedKey]
  const gibibytes = Math.ceil((bytesOf(storage) ?? 0) / 2 ** 30)
  const inside = (apiVersion: string, kind: string, called: string, spec: object) => ({
    apiVersion,
    kind,
    metadata: { name: called, namespace: name },
    spec,
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        labels: { [drillKeys.label]: 'true', [podSecurityKey]: labels[podSecurityKey] ?? 'baseline' },
        annotations: { [drillKeys.by]: token, ...(privileged === undefined ? {} : { [privilegedKey]: privileged }) },
      },
    },
    {
      // Before the rest of it: who drills by a schedule may make that only in such a namespace.
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: drillName, namespace: name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: driller.role },
      subjects: [driller.account],
    },
    inside('networking.k8s.io/v1', 'NetworkPolicy', 'default-deny', {
      podSelector: {},
      policyTypes: ['Egress', 'Ingress'],
    }),
    inside('v1', 'ResourceQuota', drillName, {
      hard: {
        pods: '5',
        persistentvolumeclaims: '3',
        'limits.memory': '8Gi',
        'requests.memory': '6Gi',
        'requests.cpu': '4',
        // The volume, and a mover's cache.
        'requests.storage': `${gibibytes + 20}Gi`,
      },
    }),
    inside('v1', 'LimitRange', drillName, {
      limits: [{ type: 'Container', default: { memory: '1Gi' }, defaultRequest: { cpu: '10m', memory: '64Mi' } }],
    }),
  ]
}

interface Volume {
  name: string
  persistentVolumeClaim?: { claimName?: string }
  emptyDir?: object
  secret?: object
  configMap?: object
}

interface Container {
  name: string
  env?: { name: string; valueFrom?: { secretKeyRef?: object; configMapKeyRef?: object } }[]
  envFrom?: { secretRef?: object; configMapRef?: object }[]
  volumeMounts?: { name: string; mountPath: string }[]
  [key: string]: unknown
}

interface PodSpec {
  containers: Container[]
  volumes?: Volume[]
  [key: string]: unknown
}

/**
 * The application's own image on the restored volume. Its Secrets and ConfigMaps are not there (references to them become optional), none of its
 * labels are (no policy may open anything to it), nor what it would wait for first (init containers, other containers than those of the volume).
 * @param workload Deployment or StatefulSet, as `kubectl get -o json` prints it
 * @param check a command for a shell, run in the container of the volume in place of its own; then it is a Job. Without it the Pod has to become Ready
 * @throws Error when the workload has no container that mounts the claim
 */
export function drillApp(
  workload: KubeObject,
  { namespace, claim, check }: { namespace: string; claim: string; check?: string },
): object {
  const template = workload.spec?.template as { spec?: PodSpec } | undefined
  const pod: PodSpec = template?.spec ?? { containers: [] }
  const { containers, volumes = [], securityContext, runtimeClassName, nodeSelector, tolerations } = pod
  const isOfClaim = (volume: Volume) => volume.persistentVolumeClaim?.claimName === claim
  const own = volumes.find(isOfClaim)?.name ?? templateName(workload, claim)
  const users = containers.filter(({ volumeMounts = [] }) => volumeMounts.some(({ name }) => name === own))
  if (own === undefined || users.length === 0)
    throw new Error(`no container of ${workload.kind} ${workload.metadata?.name} mounts claim ${claim}`)
  const kept = volumes.filter((volume) => volume.emptyDir ?? volume.secret ?? volume.configMap).map(optionalVolume)
  const there = new Set([own, ...kept.map(({ name }) => name)])
  const made = (check === undefined ? users : users.slice(0, 1)).map((container) => {
    const { lifecycle: _, ...rest } = container
    const mounts = (container.volumeMounts ?? []).filter(({ name }) => there.has(name))
    const reduced = { ...rest, ...optionalReferences(container), volumeMounts: mounts }
    if (check === undefined) return reduced
    const { startupProbe: _s, livenessProbe: _l, readinessProbe: _r, args: _a, ...bare } = reduced as Container
    return { ...bare, command: ['sh', '-c', check] }
  })
  const spec = {
    securityContext,
    runtimeClassName,
    nodeSelector,
    tolerations,
    automountServiceAccountToken: false,
    // Nothing of it is worth a farewell; and who removes its namespace looks again only after half of it (namespace controller, 1.35).
    terminationGracePeriodSeconds: 1,
    containers: made,
    volumes: [...kept, { name: own, persistentVolumeClaim: { claimName: claim } }],
  }
  const head = { metadata: { name: drillName, namespace } }
  const labels = { [drillKeys.label]: 'app' }
  if (check === undefined)
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...head.metadata, labels },
      spec: { ...spec, restartPolicy: 'Always' },
    }
  const template_ = { metadata: { labels }, spec: { ...spec, restartPolicy: 'Never' } }
  return { apiVersion: 'batch/v1', kind: 'Job', ...head, spec: { backoffLimit: 0, template: template_ } }
}

/** Of a StatefulSet, whose claims are called `<template>-<set>-<ordinal>`. */
function templateName({ metadata, spec }: KubeObject, claim: string): string | undefined {
  const templates = (spec?.volumeClaimTemplates ?? []) as { metadata: { name: string } }[]
  return templates.map((one) => one.metadata.name).find((name) => claim.startsWith(`${name}-${metadata.name}-`))
}

const optionalVolume = (volume: Volume): Volume => ({
  ...volume,
  ...(volume.secret ? { secret: { ...volume.secret, optional: true } } : {}),
  ...(volume.configMap ? { configMap: { ...volume.configMap, optional: true } } : {}),
})

function optionalReferences({ env, envFrom }: Container): Partial<Container> {
  const optional = <T extends object>(reference: T) =>
    Object.fromEntries(
      Object.entries(reference).map(([key, value]) => [
        key,
        /(Ref|KeyRef)$/.test(key) && /^(secret|configMap)/.test(key) ? { ...(value as object), optional: true } : value,
      ]),
    ) as T
  return {
    ...(env ? { env: env.map((one) => (one.valueFrom ? { ...one, valueFrom: optional(one.valueFrom) } : one)) } : {}),
    ...(envFrom ? { envFrom: envFrom.map(optional) } : {}),
  }
}

export interface DrillRecord {
  token: string
  /** When it began (RFC 3339). */
  at: string
  result: 'ok' | 'failed'
  detail: string
  snapshot: string | null
  /** What that snapshot holds, as restic said when it was taken; null when it did not say. */
  bytes: number | null
  restoreSec: number | null
  readySec: number | null
  /** From the beginning until the application was Ready: what a restore would take at least (seconds). */
  rtoSec: number | null
}

export interface Drill {
  app: string
  token: string
  at: string
  limits: DrillLimits
  /** The newest snapshot and its size, if the source's status tells. */
  newest?: { snapshot: string; bytes: number }
}

/**
 * What is written down about a drill, as an object with one key.
 * @param made the List of what is in its namespace
 * @param now milliseconds since 1970
 * @throws Error while the drill is not decided
 */
export function drillRecord(made: { items: KubeObject[] }, drill: Drill, now: number): object {
  const { app, token, at, limits, newest } = drill
  const named = (kind: string) => made.items.find((one) => one.kind === kind && one.metadata.name === drillName)
  const outcome = drillOutcome(named('ReplicationDestination'), named('Job') ?? named('Pod'), token, limits, now)
  if (outcome.result === undefined) throw new Error(`drill ${token} is not decided: ${outcome.detail}`)
  const { result, detail, snapshot, restoreSec, readySec } = outcome
  const record: DrillRecord = {
    token,
    at,
    result,
    detail,
    snapshot: snapshot ?? null,
    bytes: newest && newest.snapshot === snapshot ? newest.bytes : null,
    restoreSec: restoreSec ?? null,
    readySec: readySec ?? null,
    rtoSec: result === 'ok' ? (restoreSec ?? 0) + (readySec ?? 0) : null,
  }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...drillRecords },
    data: { [recordKey(app)]: JSON.stringify(record) },
  }
}

/** Results by `namespace.name` of the backup. @param object the ConfigMap, if there is one; what can't be read of it is left out */
export function drillRecordsOf(object: KubeObject | undefined): Map<string, DrillRecord> {
  const entries = Object.entries(object?.data ?? {}).flatMap(([key, text]): [string, DrillRecord][] => {
    try {
      return [[key, JSON.parse(text) as DrillRecord]]
    } catch {
      return []
    }
  })
  return new Map(entries)
}
