/** What stands in values and fields that no schema of theirs tells: parts of pods, what Pod Security asks of them, URLs. */
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
