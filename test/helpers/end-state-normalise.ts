/** Takes out of an end state what no two undisturbed runs have in common, and only that. Each rule says why. */
import { gunzipSync } from 'node:zlib'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import type { Json, KubeObject } from '../../src/lib/types.ts'

export interface Normaliser {
  /** Undefined for what is only left of the way there. */
  object(object: KubeObject): { subject: string; content: Json } | undefined
  /** Objects that share a subject (the pods of one ReplicaSet, a node's certificate requests) as one value. */
  together(kind: string, same: Json[]): Json
  text(text: string): string
  file(path: string, text: string): { subject: string; content: Json }
}

type JsonObject = { [key: string]: Json }

/** @param commit of the lab's copy of the repository, which every lab makes for itself */
export function createNormaliser(record: LabRecord, commit: string): Normaliser {
  const own = [
    [`127.13.${record.number}.`, '127.13.N.'],
    [record.dir, '<lab>'],
    [commit, '<commit>'],
  ]
  const text = (value: string) =>
    patterns.reduce(
      (all, [pattern, instead]) => all.replace(pattern, instead),
      own.reduce((all, [from = '', to = '']) => all.replaceAll(from, to), value),
    )
  const deep = (value: Json): Json => {
    if (typeof value === 'string') return text(value)
    if (Array.isArray(value)) return value.map(deep)
    if (!isObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [text(key), deep(inner)]))
  }
  return {
    text,
    object(object) {
      if (isSuperseded(object) || isOfASchedule(object)) return undefined
      const raw = structuredClone(object) as unknown as JsonObject
      const subject = `${object.apiVersion} ${object.kind} ${stableName(object)}`
      for (const rule of [...(byKind[object.kind] ?? []), metadata, status]) rule(raw)
      return { subject: text(subject), content: deep(raw) }
    },
    together(kind, same) {
      const texts = same.map((one) => JSON.stringify(one)).sort()
      // How often a kubelet had to ask is chance.
      const kept = kind === 'CertificateSigningRequest' ? [...new Set(texts)] : texts
      const values = kept.map((one) => JSON.parse(one) as Json)
      return values.length === 1 ? (values[0] ?? null) : values
    },
    file(path, content) {
      if (!path.startsWith('.k8sops/locks/')) return { subject: text(path), content: text(content) }
      // The number in a lock's name counts the runs that held it; what counts is that nobody holds it any more.
      const { operation, released } = JSON.parse(content) as JsonObject
      return { subject: path.replace(/\.\d+\.lock$/, '.N.lock'), content: { operation, released } as Json }
    },
  }
}

/** Values that are made up anew for each lab or each object, whatever they stand in. */
const patterns: [RegExp, string][] = [
  [/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g, '<$1>'],
  // base64 of PEM
  [/\bLS0tLS1CRUdJTi[A-Za-z0-9+/]+=*/g, '<pem>'],
  // Talos' join tokens, age keys, 32 random bytes in base64
  [/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, '<token>'],
  [/\b(age1|AGE-SECRET-KEY-1)[A-Za-z0-9]{40,}/g, '<$1>'],
  [/(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=/g, '<secret>'],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  // Artifacts are packed from a copy whose commit is another one each time.
  [/\bsha256:[0-9a-f]{64}/g, '<digest>'],
  // What restic calls a snapshot
  [/\bsnapshot [0-9a-f]{8}\b/g, 'snapshot <id>'],
  // A Receiver's path is a hash of its token, which the lab's op makes up.
  [/\/hook\/[0-9a-f]{64}/g, '/hook/<token>'],
  // The token volume that admission adds to a pod.
  [/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-*'],
]

/** Namespace and name, without what is random or counted in it. */
function stableName(object: KubeObject): string {
  const { name, namespace, generateName } = object.metadata as KubeObject['metadata'] & { generateName?: string }
  const spec = (object.spec ?? {}) as JsonObject
  if (object.kind === 'CertificateSigningRequest') return `of ${spec.username} for ${spec.signerName}`
  // A hash over the volume's handle, which is random, and the node, which is chance.
  if (object.kind === 'VolumeAttachment') return `by ${spec.attacher}`
  if (object.kind === 'IPAddress') {
    const parent = (spec.parentRef ?? {}) as JsonObject
    return `of ${parent.resource} ${parent.namespace}/${parent.name}`
  }
  // A scheduled backup is called after the second in which it was due.
  const scheduled = object.kind === 'Backup' ? name.replace(/-\d{14}$/, '-<time>') : name
  const own = isHelmRecord(object) ? name.replace(/\.v\d+$/, '.vN') : scheduled
  return `${namespace ? `${namespace}/` : ''}${generateName ? `${generateName}*` : own}`
}

/**
 * How many revisions a release has is the way there: Flux takes a release over from helmfile by an upgrade, and one whose
 * helmfile was killed by an install. A record that is pending or failed is no such thing and stays.
 */
const isHelmRecord = (object: KubeObject) => (object as { type?: string }).type === 'helm.sh/release.v1'
const isSuperseded = (object: KubeObject) => isHelmRecord(object) && object.metadata.labels?.status === 'superseded'

/** What a CronJob has started by now depends on the minute; the number in a Job's name is that minute. */
function isOfASchedule({ metadata }: KubeObject): boolean {
  const { ownerReferences } = metadata as { ownerReferences?: JsonObject[] }
  return list(ownerReferences).some(
    ({ kind, name }) => kind === 'CronJob' || (kind === 'Job' && /-\d{8}$/.test(String(name))),
  )
}

/** When it last started something. */
function cronJob(object: JsonObject): void {
  delete object.status
  const meta = at(object, 'metadata')
  meta.managedFields = list(meta.managedFields).filter(({ subresource }) => subresource !== 'status')
}

type Rule = (object: JsonObject) => void

/** That somebody asked Flux to look again (`flux reconcile`) is the way there; Flux keeps when it last answered. */
const questions = ['reconcile.fluxcd.io/requestedAt', 'reconcile.fluxcd.io/forceAt']
function isOnlyAQuestion({ fieldsV1 = null }: JsonObject): boolean {
  const annotations = isObject(fieldsV1) ? at(at(fieldsV1, 'f:metadata'), 'f:annotations') : {}
  const fields = Object.keys(annotations).filter((field) => field !== '.')
  return fields.length > 0 && fields.every((field) => questions.includes(field.slice(2)))
}

function metadata(object: JsonObject): void {
  const meta = at(object, 'metadata')
  // When and how often something was written is not what it is.
  drop(meta, 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'name')
  // Written by the controller manager only when a pod changed while it looked.
  drop(meta.annotations, 'endpoints.kubernetes.io/last-change-trigger-time', ...questions)
  if (Object.keys((meta.annotations ?? {}) as JsonObject).length === 0) drop(meta, 'annotations')
  // One entry a manager: how many writes it needed, and when, is the way there.
  const managers = list(meta.managedFields)
    .filter((entry) => !isOnlyAQuestion(entry))
    .map(({ manager, operation, subresource = '' }) => `${manager} ${operation} ${subresource}`.trim())
  meta.managedFields = [...new Set(managers)].sort()
}

function status(object: JsonObject): void {
  // Generations count writes; a duration is another one each time.
  drop(object.status, 'observedGeneration', 'lastAttemptedGeneration', 'lastAttemptedReleaseActionDuration')
  drop(object.status, 'lastHandledReconcileAt', 'lastHandledForceAt', 'lastSyncDuration')
  deepObjects(object.status, (inner) => {
    if (!Array.isArray(inner.conditions)) return
    // Messages tell durations and counts; type, status and reason tell what holds.
    const conditions = list(inner.conditions).map(({ type, status, reason = '' }) => `${type}=${status} ${reason}`)
    inner.conditions = conditions.sort()
  })
}

/** Who got which free address, port or range first is chance; what was asked for (.1 and .10 by Kubernetes' rule) is not. */
function service(object: JsonObject): void {
  const spec = at(object, 'spec')
  if (!/\.0\.10?$/.test(String(spec.clusterIP))) {
    if (spec.clusterIP !== 'None') drop(spec, 'clusterIP', 'clusterIPs')
  }
  for (const port of list(spec.ports)) drop(port, 'nodePort')
  drop(spec, 'healthCheckNodePort')
}

function pod(object: JsonObject): void {
  const owner = list(at(object, 'metadata').ownerReferences)[0]?.kind
  // Which node it is on follows from its owner for a DaemonSet and a static pod; else the scheduler was free to choose.
  if (owner !== 'DaemonSet' && owner !== 'Node') drop(object.spec, 'nodeName')
  // Free addresses, and those of the node.
  drop(object.status, 'podIP', 'podIPs', 'hostIP', 'hostIPs', 'startTime')
  for (const container of list(at(object, 'status').containerStatuses)) {
    // A container that lost its API server for a while was started again.
    drop(container, 'containerID', 'restartCount', 'lastState')
  }
  // Hashes of a machine config that has the lab's addresses in it.
  drop(at(object, 'metadata').annotations, 'kubernetes.io/config.hash', 'kubernetes.io/config.mirror')
  // Who reported last: the kubelet, or the node controller while the node was new.
  drop(at(object, 'metadata'), 'managedFields')
}

/** How many there are and whether they are ready; addresses and names follow from the pods. */
function endpointSlice(object: JsonObject): void {
  object.endpoints = list(object.endpoints).map(({ conditions = null }) => conditions)
}

/** The same for the older kind. */
function endpoints(object: JsonObject): void {
  for (const subset of list(object.subsets)) {
    for (const key of ['addresses', 'notReadyAddresses']) if (subset[key]) subset[key] = list(subset[key]).length
  }
}

function node(object: JsonObject): void {
  // Which node registers first gets the first free range.
  drop(object.spec, 'podCIDR', 'podCIDRs')
  // Made up anew at each boot and each report.
  drop(at(object, 'metadata').annotations, 'lab.k8sops/gen', 'lab.k8sops/boot-id')
  const status = at(object, 'status')
  drop(status.nodeInfo, 'bootID', 'machineID', 'systemUUID')
  // Where the pods with volumes were scheduled to is chance; of the controller manager nothing else stands in there.
  drop(status, 'volumesAttached', 'volumesInUse')
  const meta = at(object, 'metadata')
  meta.managedFields = list(meta.managedFields).filter(
    ({ manager, subresource }) => manager !== 'kube-controller-manager' || subresource !== 'status',
  )
  // The lab's own mark of the report that it made last.
  status.conditions = list(status.conditions).filter(({ type }) => type !== 'LabReport')
}

/** What is installed counts, not whether by an install or an upgrade, nor at which try. */
function helmRelease(object: JsonObject): void {
  const status = at(object, 'status')
  drop(status, 'lastAttemptedReleaseAction', 'failures', 'installFailures', 'upgradeFailures')
  status.history = list(status.history).slice(0, 1)
  for (const release of list(status.history)) drop(release, 'action', 'version')
  for (const condition of list(status.conditions))
    condition.reason = String(condition.reason).replace(/^(Install|Upgrade)Succeeded$/, 'Succeeded')
}

/** helm's record of a release: content instead of the compressed bytes, which hold times. */
function secret(object: JsonObject): void {
  const data = at(object, 'data')
  const decoded = (value: Json | undefined) => Buffer.from(String(value), 'base64')
  if (object.type !== 'helm.sh/release.v1') {
    for (const key of Object.keys(data)) {
      const value = decoded(data[key]).toString('utf8')
      // What the lab's op makes up for each lab: 24 random bytes, by themselves or in a text that a template makes.
      data[key] = value.replace(/(?<![\w-])[\w-]{32}(?![\w-])/g, '<made up>')
      // Strimzi's, of the store that a CA comes in.
      if (key === 'ca.password') data[key] = '<made up>'
    }
    return
  }
  const record = JSON.parse(
    gunzipSync(Buffer.from(decoded(data.release).toString('latin1'), 'base64')).toString('utf8'),
  ) as JsonObject
  const chart = at(at(record, 'chart'), 'metadata')
  object.data = {
    release: {
      name: record.name ?? null,
      status: at(record, 'info').status ?? null,
      // Flux adds the artifact's digest to the version.
      chart: `${chart.name} ${String(chart.version).replace(/\+[0-9a-f]{12}$/, '')}`,
      config: record.config ?? null,
      manifest: record.manifest ?? null,
    },
  }
  drop(at(object, 'metadata').labels, 'modifiedAt', 'createdAt', 'version')
  // helmfile's helm or Flux's, whoever made the last revision.
  drop(at(object, 'metadata'), 'managedFields')
}

/**
 * Who counted last: the API server when it let an object in, or the controller manager afterwards. What was counted is compared itself;
 * the sum knows of a pod that a schedule has started, or that is gone, until it is counted again (every five minutes).
 */
function resourceQuota(object: JsonObject): void {
  drop(object.status, 'used')
  const meta = at(object, 'metadata')
  meta.managedFields = list(meta.managedFields).filter(({ subresource }) => subresource !== 'status')
}

/** Storage on a node's disk is where the scheduler chose to put the pod. */
function localVolume(object: JsonObject): void {
  drop(object.spec, 'nodeAffinity')
  drop(at(object, 'metadata').annotations, 'volume.kubernetes.io/selected-node')
}

const byKind: Record<string, Rule[]> = {
  // What it was before it became healthy, and when, is the way there.
  CephCluster: [(object) => drop(at(at(object, 'status'), 'ceph'), 'previousHealth', 'lastChanged')],
  // Two releases of one chart (external-dns) bring the same ones: whose Helm wrote last is chance.
  CustomResourceDefinition: [
    (object) => drop(at(object, 'metadata').labels, 'helm.toolkit.fluxcd.io/name', 'helm.toolkit.fluxcd.io/namespace'),
  ],
  // The key that a kubelet made, and the certificate that it asked with.
  CertificateSigningRequest: [(object) => drop(object.spec, 'extra', 'request', 'uid')],
  // The node's range, as above.
  CiliumNode: [(object) => drop(at(object, 'spec').ipam, 'podCIDRs')],
  CronJob: [cronJob],
  // `since`: the day of the first start.
  ConfigMap: [
    (object) => stableName(object as unknown as KubeObject).endsWith('token-tracking') && drop(object, 'data'),
  ],
  Endpoints: [endpoints],
  EndpointSlice: [endpointSlice],
  // Bytes of an archive that has the lab's addresses and keys in it.
  GitRepository: [(object) => drop(at(object, 'status').artifact, 'size')],
  HelmRelease: [helmRelease],
  // Kafka makes them up.
  Kafka: [(object) => drop(object.status, 'clusterId')],
  KafkaNodePool: [(object) => drop(object.status, 'clusterId')],
  KafkaTopic: [(object) => drop(object.status, 'topicId')],
  // A count of reconciliations and how long each took.
  Kustomization: [(object) => drop(object.status, 'history')],
  Node: [node],
  PersistentVolume: [localVolume],
  PersistentVolumeClaim: [localVolume],
  Pod: [pod],
  ResourceQuota: [resourceQuota],
  Secret: [secret],
  Service: [service],
  VolumeAttachment: [(object) => drop(object.spec, 'nodeName')],
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object under a key; a fresh one, attached to nothing, where there is none. */
const at = (object: JsonObject, key: string): JsonObject => (isObject(object[key]) ? object[key] : {})

const list = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

function drop(object: Json | undefined, ...keys: string[]): void {
  if (isObject(object)) for (const key of keys) delete object[key]
}

function deepObjects(value: Json | undefined, visit: Rule): void {
  if (Array.isArray(value)) for (const inner of value) deepObjects(inner, visit)
  if (!isObject(value)) return
  visit(value)
  for (const inner of Object.values(value)) deepObjects(inner, visit)
}
