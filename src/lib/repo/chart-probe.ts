/**
 * What a chart makes, asked of the chart itself: rendered once with a mark of its own at every value that looks as if it went to a
 * pod, the marks tell which value each container has its resources from, and which each pod and container its securityContext.
 */
import type { ChartRecord, Container, Service, Workload } from '../lab/charts/record.ts'
import type { Json, KubeObject } from '../types.ts'
import { keysOf } from './chart-facts.ts'
import { fullName } from './chart-objects.ts'
import { dig, type Fields, isFields, listAt, mapAt, textAt } from './fields.ts'

/** A chart as it was unpacked. */
export interface UnpackedChart {
  /** Of Chart.yaml. */
  name: string
  version: string
  appVersion: string
  /** `oci://host/path/chart`. */
  url: string
  /** values.yaml. */
  defaults: Fields
  /** As `valueKeys` gives them. */
  keys: string[]
}

/** A value that pods or containers have their securityContext from. */
export interface SecurityPlace {
  path: string
  of: 'pod' | 'container' | 'both'
}

/** Names that no chart has, so that what is made of them can be told from the chart's own words. */
export const probe = { release: 'zq7release', namespace: 'zq7namespace', name: 'zq7name' }

interface Mark {
  path: string
  /** What stands in the manifest where the value ends up. */
  shows: string | number
  value: Json
}

function marksFor({ keys }: UnpackedChart): Mark[] {
  const at = (pattern: RegExp, mark: (index: number) => Omit<Mark, 'path'>) =>
    keys.filter((key) => pattern.test(key)).map((key, index) => ({ path: key.replace(/\.\*$/, ''), ...mark(index) }))
  return [
    ...at(/(^|\.)resources\.\*$/, (index) => ({
      shows: `${1001 + index}Mi`,
      value: { limits: { memory: `${1001 + index}Mi` } },
    })),
    ...at(/(^|\.)\w*[sS]ecurityContext\.\*$/, (index) => ({
      shows: 70_001 + index,
      value: { runAsUser: 70_001 + index },
    })),
    ...at(/(^|\.)(replicas|replicaCount)$/, (index) => ({ shows: 41 + index, value: 41 + index })),
    ...at(/^nameOverride$/, () => ({ shows: probe.name, value: probe.name })),
  ]
}

/** The values to render the chart with, under the names of `probe`. */
export const probeValues = (chart: UnpackedChart): Fields =>
  marksFor(chart).reduce<Fields>((values, { path, value }) => withValue(values, keysOf(path), value), {})

/** A copy with one value more; what stands there already and is a map is kept beside it. */
export function withValue(values: Fields, [key = '', ...below]: string[], value: Json): Fields {
  const there = values[key]
  const inside = isFields(there) ? there : {}
  if (below.length > 0) return { ...values, [key]: withValue(inside, below, value) }
  return { ...values, [key]: isFields(value) ? { ...inside, ...value } : value }
}

/** @param objects what the chart renders to with `probeValues` */
export function probedChart(
  chart: UnpackedChart,
  objects: readonly KubeObject[],
): { record: ChartRecord; security: SecurityPlace[] } {
  const marks = marksFor(chart)
  const places = new Map<string, Set<'pod' | 'container'>>()
  const pathOf = (shown: Json | undefined) => marks.find(({ shows }) => shows === shown)?.path
  const token = tokensOf(chart)
  const saw = (context: Json | undefined, of: 'pod' | 'container') => {
    const path = pathOf(dig(context, 'runAsUser'))
    if (path !== undefined) places.set(path, (places.get(path) ?? new Set()).add(of))
  }
  const container = (one: Json): Container => {
    saw(dig(one, 'securityContext'), 'container')
    const resourcesValue = pathOf(dig(one, 'resources.limits.memory'))
    const added = listAt(one, 'securityContext.capabilities.add').map(String)
    return {
      name: token(textAt(one, 'name')),
      image: textAt(one, 'image') ?? '',
      ...(resourcesValue === undefined ? {} : { resourcesValue }),
      ...(listAt(one, 'ports').length === 0 ? {} : { ports: listAt(one, 'ports').map(portOf) }),
      ...(added.length === 0 ? {} : { capabilities: added }),
    }
  }
  const workloads = objects.filter(isWorkload).map((object): Workload => {
    const pod = dig(object, 'spec.template.spec')
    saw(dig(pod, 'securityContext'), 'pod')
    const replicas = dig(object, 'spec.replicas')
    const replicasValue = pathOf(replicas)
    const account = textAt(pod, 'serviceAccountName')
    const hostPaths = listAt(pod, 'volumes').flatMap((volume) => textAt(volume, 'hostPath.path') ?? [])
    return {
      kind: object.kind,
      name: token(object.metadata.name),
      ...(replicasValue !== undefined ? { replicasValue } : typeof replicas === 'number' ? { replicas } : {}),
      labels: labelsOf(object, 'spec.selector.matchLabels', token),
      ...(account === undefined || account === 'default' ? {} : { serviceAccount: token(account) }),
      ...(dig(pod, 'hostNetwork') === true ? { hostNetwork: true } : {}),
      ...(hostPaths.length === 0 ? {} : { hostPaths }),
      containers: listAt(pod, 'containers').map(container),
    }
  })
  const crds = objects.filter(({ kind }) => kind === 'CustomResourceDefinition').map(({ metadata }) => metadata.name)
  const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount').map(({ metadata }) => token(metadata.name))
  const services = objects.filter(({ kind }) => kind === 'Service').map((object) => serviceOf(object, token))
  const used = workloads.flatMap(({ replicasValue, containers }) => [
    ...(replicasValue === undefined ? [] : [replicasValue]),
    ...containers.flatMap(({ resourcesValue }) => resourcesValue ?? []),
  ])
  const record: ChartRecord = {
    name: chart.name,
    version: chart.version,
    appVersion: chart.appVersion,
    url: chart.url,
    source: 'k8sops app new: the chart itself, rendered with its own values',
    defaults: defaultsAt(chart.defaults, ['fullnameOverride', 'nameOverride', ...used]),
    ...(accounts.length === 0 ? {} : { serviceAccounts: accounts.map((name) => ({ name })) }),
    workloads,
    ...(services.length === 0 ? {} : { services }),
    ...(crds.length === 0 ? {} : { crds: [{ placement: 'templates', names: crds }] }),
    values: chart.keys,
  }
  const security = [...places].map(([path, of]): SecurityPlace => ({ path, of: of.size > 1 ? 'both' : [...of][0]! }))
  return { record, security }
}

const isWorkload = (object: KubeObject): object is KubeObject & Pick<Workload, 'kind'> =>
  /^(Deployment|DaemonSet|StatefulSet)$/.test(object.kind)

type Token = (text: string | undefined) => string

/** Names of the probe as the tokens that a record has for them. */
function tokensOf(chart: UnpackedChart): Token {
  const { name, defaults } = chart
  const named = { releaseName: probe.release, releaseNamespace: probe.namespace, chartName: name }
  const full = fullName(named, { ...defaults, ...probeValues(chart) })
  return (text = '') =>
    text
      .replaceAll(full, '{fullname}')
      .replaceAll(probe.name, `{value:nameOverride:-${name}}`)
      .replaceAll(probe.release, '{release}')
      .replaceAll(probe.namespace, '{namespace}')
}

const labelsOf = (object: KubeObject, path: string, token: Token): Record<string, string> =>
  Object.fromEntries(Object.entries(mapAt(object, path)).map(([key, value]) => [key, token(String(value))]))

const portOf = (port: Json) => {
  const hostPort = dig(port, 'hostPort')
  return {
    name: textAt(port, 'name') ?? String(dig(port, 'containerPort')),
    port: Number(dig(port, 'containerPort')),
    ...(dig(port, 'protocol') === 'UDP' ? { protocol: 'UDP' as const } : {}),
    ...(typeof hostPort === 'number' ? { hostPort } : {}),
  }
}

const serviceOf = (object: KubeObject, token: Token): Service => ({
  name: token(object.metadata.name),
  selector: labelsOf(object, 'spec.selector', token),
  ...(textAt(object, 'spec.clusterIP') === 'None' ? { headless: true } : {}),
  ports: listAt(object, 'spec.ports').map((port) => ({
    name: textAt(port, 'name') ?? '',
    port: Number(dig(port, 'port')),
    targetPort: (dig(port, 'targetPort') as number | string | undefined) ?? Number(dig(port, 'port')),
    ...(dig(port, 'protocol') === 'UDP' ? { protocol: 'UDP' as const } : {}),
  })),
})

/** Only those that something in the record refers to. */
const defaultsAt = (defaults: Fields, paths: string[]): Fields =>
  paths.reduce<Fields>((kept, path) => {
    const keys = keysOf(path)
    const value = dig(defaults, keys)
    return value === undefined ? kept : withValue(kept, keys, value)
  }, {})
