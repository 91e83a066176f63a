/** The release of a chart for a new application: values that the rules ask for, as far as the chart has them. Pure. */
import type { ChartRecord, Workload } from '../lab/charts/record.ts'
import type { Json, KubeObject } from '../types.ts'
import { keysOf, monitorSwitch } from './chart-facts.ts'
import { isAskedFor, recordedObjects } from './chart-objects.ts'
import { type SecurityPlace, withValue } from './chart-probe.ts'
import { dig, type Fields, listAt, textAt } from './fields.ts'
import { isComplete, restrictedBreaches } from './pod-demands.ts'

export interface NewRelease {
  /** `oci://host/path/chart`. */
  url: string
  version: string
  values: Fields
  /** First keys of what else the chart takes; undefined when nobody knows. */
  others: string[] | undefined
}

/** What is known of a chart: from itself, or only from a record of it. */
export interface KnownChart {
  record: ChartRecord
  security: SecurityPlace[]
}

export interface Wanted {
  /** Of the application: the pieces' policies select pods by it. */
  name: string
  /** Memory limit of each container, and the half of it, which it requests. */
  memory: string
  half: string
  /** A claim of this name is there for it. */
  claim: string | undefined
  database: boolean
  secret: boolean
}

const ofPod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
const ofContainer = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
const contexts = { pod: ofPod, container: ofContainer, both: ofPod } satisfies Record<SecurityPlace['of'], Fields>

/** Values of the release, with its keys in order. */
export function releaseValues({ record, security }: KnownChart, wanted: Wanted): Fields {
  const { name, memory, half, claim, database, secret } = wanted
  const resources = { requests: { cpu: '50m', memory: half }, limits: { memory } }
  const containers = record.workloads
    .filter((workload) => isAskedFor(workload, record.defaults ?? {}))
    .flatMap((workload) => workload.containers)
  const [claimValue = '', ...others] = claimValues(record)
  const hasClaim = claim !== undefined && claimValue !== '' && others.length === 0
  const places: [boolean, string, Json][] = [
    ...containers.map(({ resourcesValue = '' }): [boolean, string, Json] => [
      resourcesValue !== '',
      resourcesValue,
      resources,
    ]),
    ...security.map(({ path, of }): [boolean, string, Json] => [true, path, contexts[of]]),
    ...monitorValues(record).map((path): [boolean, string, Json] => [true, path, true]),
    [name !== record.name && takes(record, 'nameOverride'), 'nameOverride', name],
    [database && takes(record, 'podLabels'), 'podLabels', { 'k8sops.dev/postgres': 'client' }],
    [
      (database || secret) && takes(record, 'podAnnotations'),
      'podAnnotations',
      { 'reloader.stakater.com/auto': 'true' },
    ],
    [hasClaim, claimValue.replace(/[^.]+$/, 'enabled'), true],
    [hasClaim, claimValue, claim ?? ''],
  ]
  const values = places.reduce<Fields>((all, [is, path, value]) => (is ? withValue(all, keysOf(path), value) : all), {})
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Where a chart takes the name of a claim that is there. */
export const claimValues = ({ values }: Pick<ChartRecord, 'values'>): string[] =>
  values.filter((key) => /(^|\.)persistence\.existingClaim$/.test(key))

const takes = ({ values }: ChartRecord, key: string): boolean => values.includes(`${key}.*`) || values.includes(key)

/** The nearest switch of a monitor, and the one of the metrics that it needs. */
function monitorValues({ values }: ChartRecord): string[] {
  const [nearest] = values
    .filter((key) => monitorSwitch.test(key))
    .sort((a, b) => a.split('.').length - b.split('.').length)
  if (nearest === undefined) return []
  const metrics = `${nearest.split('.').slice(0, -2).join('.')}.enabled`
  return [...(values.includes(metrics) && /metrics/.test(metrics) ? [metrics] : []), nearest]
}

/** First keys that the values do not set, in order. */
export const otherKeys = ({ values }: Pick<ChartRecord, 'values'>, set: Fields): string[] =>
  [...new Set(values.map((key) => keysOf(key)[0] ?? ''))].filter((key) => !(key in set)).sort()

interface NamedRelease {
  name: string
  namespace: string
  values: Fields
}

const namesOf = (record: ChartRecord, { name, namespace, values }: NamedRelease) => ({
  releaseName: name,
  releaseNamespace: namespace,
  chartName: record.name,
  values,
})

/**
 * The Service that a route leads to.
 * @param port that it listens on; without it the only one that there is, or the only one called `http`
 */
export function serviceOf(
  record: ChartRecord,
  release: NamedRelease,
  port: number | undefined,
): { name: string; port: number } | undefined {
  const named = namesOf(record, release)
  const reachable = (record.services ?? []).filter(({ headless }) => !headless)
  const found = recordedObjects({ defaults: record.defaults ?? {}, workloads: [], services: reachable }, named).flatMap(
    ({ metadata, spec }) =>
      listAt(spec, 'ports').map((one) => ({
        name: metadata.name,
        port: Number(dig(one, 'port')),
        called: dig(one, 'name'),
      })),
  )
  const only = (fitting: typeof found) => (fitting.length === 1 ? fitting : [])
  const [service] =
    port === undefined
      ? [...only(found), ...only(found.filter(({ called }) => called === 'http'))]
      : found.filter((one) => one.port === port)
  return service && { name: service.name, port: service.port }
}

/**
 * The record, with what only the release itself shows: workloads that meet Pod Security `restricted` with its values say so, and of a
 * chart that always puts its own name behind the release's the names are that.
 * @param objects what the chart renders to
 */
export function withNames(record: ChartRecord, release: NamedRelease, objects: readonly KubeObject[]): ChartRecord {
  const made = (workload: Workload) => {
    const names = recordedObjects({ workloads: [workload], defaults: record.defaults ?? {} }, namesOf(record, release))
    return objects.find(({ kind, metadata }) => kind === workload.kind && metadata.name === names[0]?.metadata.name)
  }
  const apart = JSON.parse(
    JSON.stringify(record).replaceAll('{fullname}', `{release}-{value:nameOverride:-${record.name}}`),
  ) as ChartRecord
  const named = !record.workloads.some(made) && apart.workloads.some(made) ? apart : record
  const workloads = named.workloads.map((workload) => {
    const object = made(workload)
    const meets = object !== undefined && restrictedBreaches(dig(object, 'spec.template.spec')).length === 0
    return meets ? { ...workload, restricted: true } : workload
  })
  return { ...named, workloads }
}

/**
 * What the rules, or the API server, would still say about what the chart makes of the values.
 * @param application its name
 * @param objects what the chart renders to with the values
 */
export function gaps(application: string, objects: readonly KubeObject[]): string[] {
  return objects
    .filter(({ kind }) => /^(Deployment|DaemonSet|StatefulSet)$/.test(kind))
    .flatMap((object) => {
      const pod = dig(object, 'spec.template.spec')
      const name = `${object.kind} ${object.metadata.name}`
      const lacking = listAt(pod, 'containers').filter((one) => !isComplete(dig(one, 'resources')))
      const label = textAt(object, ['spec', 'template', 'metadata', 'labels', 'app.kubernetes.io/name'])
      return [
        ...(label === application
          ? []
          : [
              `${name}: its pods have app.kubernetes.io/name ${label}, not ${application}: no policy of a piece selects them`,
            ]),
        ...lacking.map((one) => `${name}: container ${textAt(one, 'name')} has no requests or no memory limit`),
        ...restrictedBreaches(pod).map(({ container, what }) => `${name}: container ${container}: ${what}`),
      ]
    })
}
