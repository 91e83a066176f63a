/**
 * What a chart that could not be rendered is known to make: the objects of its record (lab/charts), with the release's names and
 * values in the places of the tokens (src/lib/lab/charts/record.ts says which there are).
 */
import type { ChartRecord, Service, Workload } from '../lab/charts/record.ts'
import type { Json, KubeObject } from '../types.ts'
import { dig, isFields, listAt } from './fields.ts'
import { mergeValues, type Release } from './releases.ts'

type Values = Release['values']
type Named = Pick<Release, 'releaseName' | 'releaseNamespace' | 'chartName'>

/** The values that a chart sees, as far as its record knows the defaults. */
export const valuesOf = ({ values }: Pick<Release, 'values'>, { defaults }: Pick<ChartRecord, 'defaults'>): Values =>
  mergeValues(defaults ?? {}, values)

/** One condition of a record, as the chart's template would judge it: `a.b` is true, `!a.b` is not, `a.b=text` and `a.b!=text` compare. */
export function holds(condition: string, values: Values): boolean {
  const [, path = '', operator, text] = /^!?([^!=]+)(?:(!?=)(.*))?$/.exec(condition) ?? []
  const value = dig(values, path)
  if (operator) return (String(value ?? '') === text) === (operator === '=')
  return condition.startsWith('!') ? !isTrue(value) : isTrue(value)
}

/** Go templates take empty maps, lists and strings for false. */
function isTrue(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0
  return isFields(value) ? Object.keys(value).length > 0 : Boolean(value)
}

/** Whether the values ask for a part of a chart. */
export const isAskedFor = ({ when = [] }: { when?: string[] }, values: Values): boolean =>
  when.every((condition) => holds(condition, values))

/** The name that Helm's own template gives: the release's, with the chart's unless it says that already. */
export function fullName({ releaseName, chartName }: Named, values: Values): string {
  const given = dig(values, 'fullnameOverride')
  if (typeof given === 'string' && given !== '') return given
  const override = dig(values, 'nameOverride')
  const name = typeof override === 'string' && override !== '' ? override : chartName
  return releaseName.includes(name) ? releaseName : `${releaseName}-${name}`
}

/** The objects that the values ask for: workloads, Services, ServiceAccounts, and what else the record has. Of what it leaves out nothing is said. */
export function recordedObjects(
  record: Pick<ChartRecord, 'objects' | 'defaults' | 'workloads' | 'services' | 'serviceAccounts'>,
  release: Named & Pick<Release, 'values'>,
): KubeObject[] {
  const values = valuesOf(release, record)
  const all = [
    ...(record.workloads ?? []).map((one) => ({ ...(one.when ? { when: one.when } : {}), ...workloadObject(one) })),
    ...(record.services ?? []).map((one) => ({ ...(one.when ? { when: one.when } : {}), ...serviceObject(one) })),
    ...(record.serviceAccounts ?? []).map(({ name, when }) => ({
      ...(when ? { when } : {}),
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: meta(name),
    })),
    ...(record.objects ?? []),
  ] as NonNullable<ChartRecord['objects']>
  return all
    .filter((one) => isAskedFor(one, values))
    .flatMap(({ when: _, each, ...object }) => {
      const elements = each === undefined ? [undefined] : listAt(values, each)
      return elements.map((element) => filled(object, tokens(release, values, element)) as unknown as KubeObject)
    })
}

const meta = (name: string) => ({ name, namespace: '{namespace}' })

/** As much of it as the record knows. */
function workloadObject({ kind, name, labels, replicas, replicasValue, serviceAccount, containers }: Workload) {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: meta(name),
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: replicasValue ? `{object:${replicasValue}}` : (replicas ?? 1) }),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
          containers: containers.map(({ name: container, image, resourcesValue, ports = [] }) => ({
            name: container,
            image,
            ...(resourcesValue === undefined ? {} : { resources: `{object:${resourcesValue}}` }),
            ports: ports.map(({ name: port, port: containerPort }) => ({ name: port, containerPort })),
          })),
        },
      },
    },
  }
}

const serviceObject = ({ name, selector, ports }: Service) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(name),
  spec: {
    selector,
    ports: ports.map(({ name: port, port: number, targetPort }) => ({ name: port, port: number, targetPort })),
  },
})

type Tokens = (token: string) => Json | undefined

/** What a token stands for; undefined is a value that is not set. */
function tokens(release: Named, values: Values, element: Json | undefined): Tokens {
  const at = (path: string) => (path.startsWith('each:') ? dig(element, path.slice('each:'.length)) : dig(values, path))
  return (token) => {
    const [, what = '', path = '', other] = /^(\w+)(?::(.*?)(?::-(.*))?)?$/.exec(token) ?? []
    if (what === 'fullname') return fullName(release, values)
    if (what === 'release') return release.releaseName
    if (what === 'namespace') return release.releaseNamespace
    if (what === 'if') return at(path) ? fullName(release, values) : ''
    if (what === 'each') return dig(element, path)
    const found = at(path)
    if (other === undefined || (found !== undefined && found !== null && found !== '')) return found
    return other === 'fullname' ? fullName(release, values) : other
  }
}

function filled(value: Json, token: Tokens): Json {
  if (Array.isArray(value)) return value.map((one) => filled(one, token))
  if (isFields(value)) {
    const entries = Object.entries(value).map(([key, below]) => [key, filled(below, token)] as const)
    return Object.fromEntries(entries.filter(([, below]) => below !== null))
  }
  if (typeof value !== 'string') return value
  const whole = /^\{(object:[^}]+)\}$/.exec(value)?.[1]
  if (whole !== undefined) return token(whole) ?? null
  return value.replaceAll(/\{((?:value|if|each):[^}]+|fullname|release|namespace)\}/g, (_, name: string) =>
    String(token(name) ?? ''),
  )
}
