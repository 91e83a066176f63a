/** What stands in values and fields that no schema of theirs tells: parts of pods, what Pod Security asks of them, URLs. */
import type { Json } from '../../types.ts'
import { dig, type Fields, isFields, leaves } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { restrictedBreaches } from '../pod-demands.ts'
import { checkType, type SchemaProblem, type SchemaTables, typeOf } from '../schema-tables.ts'
import { podOf } from './charts.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const valueRules: Rule[] = [
  {
    id: 'pod-part-valid',
    demands:
      'Values that a chart hands to a pod as they are (tolerations, affinity, resources, probes ...) have the fields of a pod',
    why: 'A chart prints them where the pod has them; the API server refuses the pod, or drops what it does not know',
    fix: 'kubectl explain pod.spec says what there is',
    source: 'Kubernetes',
    scope: 'any',
    check: ({ clusters, schemas }) =>
      clusters.flatMap((cluster) =>
        ofKind(cluster, 'HelmRelease').flatMap((one) =>
          wrongParts(schemas, dig(one.object(), 'spec.values')).map(({ path, message }) => ({
            ...about(one, message, ['spec', 'values', ...path]),
            cluster: cluster.name,
          })),
        ),
      ),
  },
  {
    id: 'pod-security-met',
    demands: 'A pod of ours meets the Pod Security level `restricted` where its namespace enforces it',
    why: 'The API server refuses the pod, and only its ReplicaSet says so',
    fix: 'runAsNonRoot: true, seccompProfile.type: RuntimeDefault, allowPrivilegeEscalation: false, capabilities.drop: [ALL]',
    source: 'Kubernetes',
    scope: 'any',
    check: each(refusedPods),
  },
  {
    id: 'value-fits-key',
    demands:
      'Values of a chart are what their key says: `enabled` is true or false, a port a port, `size` of a volume a size, a schedule a schedule, and so on',
    why: 'For a template every text is true, and what it prints as a number the API server refuses as a word: the release fails, or does the opposite',
    fix: 'The type that the chart’s values.yaml has there',
    source: 'Helm',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'HelmRelease').flatMap((one) => {
        const values = dig(one.object(), 'spec.values')
        return leaves(values)
          .filter(
            ({ path, value }) => value !== null && value !== '' && !/\$\{|\{\{/.test(String(value)) && path.length > 0,
          )
          .flatMap(({ path, value }) => {
            const [key, beside] = [String(path.at(-1)), dig(values, path.slice(0, -1))]
            const wrong = shapes.find((shape) => shape.key.test(key) && (shape.beside?.(beside) ?? true))
            return wrong === undefined || wrong.fits(value)
              ? []
              : [about(one, `${path.join('.')}: ${value} is no ${wrong.is}`, ['spec', 'values', ...path])]
          })
      }),
    ),
  },
  {
    id: 'url-wellformed',
    demands: 'A field called url has a URL',
    why: 'Nobody is reached, and only the log of whoever asks says so',
    fix: 'https://host/path',
    source: 'RFC 3986',
    scope: 'any',
    check: each((cluster) =>
      cluster.objects
        .filter(({ release, kind }) => !release && !/^(CustomResourceDefinition|ConfigMap)$/.test(kind))
        .flatMap((one) =>
          leaves(one.object())
            .filter(({ path, value }) => isUrlField.test(String(path.at(-1))) && typeof value === 'string')
            .filter(({ value }) => !/^$|^[a-z][a-z0-9+.-]*:\S+$|[{$%]/.test(String(value)))
            // Of charts some take a path, or add the scheme themselves.
            .filter(
              ({ value }) =>
                one.kind !== 'HelmRelease' || !/^\/\S*$|^[\w-]+(\.[\w-]+)+(:\d+)?(\/\S*)?$/.test(String(value)),
            )
            .map(({ path, value }) => about(one, `${value} is no URL`, path)),
        ),
    ),
  },
]

/** `url`, `baseUrl`; not `maxDiskUsagePerURL`. */
const isUrlField = /^url$|(?<!Per)U(rl|RL)$/

interface Shape {
  key: RegExp
  is: string
  fits: (value: Json) => boolean
  /** By what else stands there. */
  beside?: (siblings: unknown) => boolean
}

const asText = (pattern: RegExp) => (value: Json) => pattern.test(String(value))
const isVolume = (siblings: unknown) =>
  isFields(siblings) && Object.keys(siblings).some((key) => /^(storageClass|accessMode|existingClaim)/.test(key))

/** By the words that charts share; a key that means one thing here and another there is left out. */
const shapes: Shape[] = [
  // OpenBao and Vault take `-` for what `global.enabled` says.
  { key: /^(enabled|create)$/, is: 'switch', fits: (value) => typeof value === 'boolean' || value === '-' },
  { key: /^(replicas|replicaCount)$/, is: 'number', fits: asText(/^\d+$/) },
  { key: /^(\w+P|p)ort$/, is: 'port', fits: asText(/^(\d{1,5}|[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?)$/) },
  { key: /^(runAs(User|Group)|fsGroup|\w+Seconds|revisionHistoryLimit)$/, is: 'number', fits: asText(/^\d+$/) },
  { key: /^(maxUnavailable|minAvailable|maxSurge)$/, is: 'number or share', fits: asText(/^\d+%?$/) },
  { key: /^size$/, beside: isVolume, is: 'size', fits: asText(/^\d+(\.\d+)?([kMGT]i?)?$/) },
  { key: /^(s|\w+S)torageClass(Name)?$/, is: 'name of a class', fits: asText(/^(-|[a-z0-9][a-z0-9.-]*)$/) },
  { key: /^accessModes?$/, is: 'access mode', fits: asText(/^Read(WriteOnce|OnlyMany|WriteMany|WriteOncePod)$/) },
  {
    key: /^(s|\w+S)chedule$/,
    is: 'schedule',
    fits: asText(/^((CRON_)?TZ=\S+ )?(@\w+( \S+)?|[\d*][\d*/,-]*( [\d*?LW#/,A-Za-z-]+){4,5})$/),
  },
  { key: /^(interval|timeout|\w+(Interval|Timeout))$/, is: 'duration', fits: asText(/^-?\d/) },
  { key: /^(imageP|p)ullPolicy$/, is: 'pull policy', fits: asText(/^(Always|IfNotPresent|Never)$/) },
  { key: /^mountPath$/, is: 'path', fits: asText(/^\//) },
  { key: /^(clusterIP|loadBalancerIP)$/, is: 'address', fits: asText(/^([\d.]+|[\da-f:]+|None)$/) },
]

/** Where the fields of a pod's parts stand: in the pod's own spec, or in that of a container. */
const ofPod = ['spec', 'template', 'spec']
const ofContainer = [...ofPod, 'containers']
const parts: Record<string, string[][]> = {
  ...Object.fromEntries(
    ['tolerations', 'affinity', 'topologySpreadConstraints'].map((key) => [key, [[...ofPod, key]]]),
  ),
  ...Object.fromEntries(
    ['livenessProbe', 'readinessProbe', 'startupProbe'].map((key) => [key, [[...ofContainer, key]]]),
  ),
  resources: [[...ofContainer, 'resources']],
  podSecurityContext: [[...ofPod, 'securityContext']],
  containerSecurityContext: [[...ofContainer, 'securityContext']],
}

/** Of values; switches of the chart beside the pod's own (`enabled`) make a part the chart's. */
function wrongParts(schemas: SchemaTables, value: unknown, path: (string | number)[] = []): SchemaProblem[] {
  const table = schemas.get('kubernetes')
  const root = table?.roots['apps/deployments/v1']
  if (!table || root === undefined) return []
  if (Array.isArray(value)) return value.flatMap((item, index) => wrongParts(schemas, item, [...path, index]))
  if (!isFields(value)) return []
  return Object.entries(value).flatMap(([key, below]) => {
    const at = [...path, key]
    const types = (parts[key] ?? []).flatMap((fields) => typeOf(table, root, fields) ?? [])
    const isPart =
      key === 'resources'
        ? isFields(below) &&
          (isFields(below.requests) || isFields(below.limits)) &&
          !isFields(dig(below, 'requests.requests'))
        : Array.isArray(below) || (isFields(below) && !('enabled' in below))
    if (types.length === 0 || !isPart) return wrongParts(schemas, below, at)
    const problems = types.map((type) => checkType(table, type, below, at))
    return problems.some((found) => found.length === 0) ? [] : (problems[0] ?? [])
  })
}

function refusedPods(cluster: ClusterView): Finding[] {
  const restricted = new Set(
    ofKind(cluster, 'Namespace')
      .filter((one) => one.object().metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted')
      .map(({ name }) => name),
  )
  return cluster.objects
    .filter(({ release, namespace, kind }) => !release && restricted.has(namespace ?? '') && workload.test(kind))
    .flatMap((one) => [...lacks(one), ...moverLacks(one)])
}

const workload = /^(Deployment|StatefulSet|DaemonSet|Job|CronJob|Pod|ReplicationSource|ReplicationDestination)$/

function lacks(one: RenderedObject): Finding[] {
  const { pod, path } = podOf(one)
  return restrictedBreaches(pod).map(({ path: at, container, what }) =>
    about(one, `container ${container}: ${what}`, [...path, ...at, 'securityContext']),
  )
}

/** VolSync 0.15 gives its movers the rest itself. */
function moverLacks(one: RenderedObject): Finding[] {
  const context = dig(one.object(), 'spec.restic.moverSecurityContext')
  if (!/^Replication/.test(one.kind) || dig(one.object(), 'spec.restic') === undefined) return []
  return (context as Fields | undefined)?.runAsNonRoot === true
    ? []
    : [about(one, 'moverSecurityContext.runAsNonRoot is not true', ['spec', 'restic', 'moverSecurityContext'])]
}
