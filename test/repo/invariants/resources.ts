/** Every container that a release starts has requests and a memory limit, as far as its chart's record knows the containers. */
import { readChartRecord } from '../../../src/lib/lab/charts/record.ts'
import { mergeValues, type Release } from '../../../src/lib/repo/releases.ts'
import type { Json } from '../../../src/lib/types.ts'
import type { RepositoryView } from './view.ts'

/** CPU has no limit on purpose: it would throttle long before the machine is busy. */
export async function containersWithoutResources({ root, clusters }: RepositoryView): Promise<string[]> {
  const releases = clusters.flatMap((cluster) =>
    cluster.releases.map((release) => ({ cluster: cluster.name, release })),
  )
  const found = releases.map(async ({ cluster, release }) =>
    (await incomplete(root, release)).map((line) => `${cluster}: ${line}`),
  )
  return (await Promise.all(found)).flat()
}

async function incomplete(root: string, release: Release): Promise<string[]> {
  const name = `${release.namespace}/${release.name}`
  const record = await readChartRecord({ name: release.chartName, version: release.version }, root)
  if (!record) return [`${name}: its chart has no record`]
  const values = mergeValues(record.defaults ?? {}, release.values)
  return record.workloads
    .filter(({ when = [] }) => when.every((condition) => holds(condition, values)))
    .flatMap(({ containers }) => containers)
    .filter(({ resourcesValue }) => resourcesValue !== undefined && !isComplete(at(values, resourcesValue)))
    .map(
      ({ name: container, resourcesValue }) =>
        `${name}: container ${container} lacks requests or limits (${resourcesValue})`,
    )
}

/** `a.b` is true, `!a.b` is not, `a.b=text` and `a.b!=text` compare (the record's own words). */
function holds(condition: string, values: Release['values']): boolean {
  const comparison = /^([^!=]+)(!?=)(.*)$/.exec(condition)
  if (comparison) return (String(at(values, comparison[1] ?? '')) === comparison[3]) === (comparison[2] === '=')
  return condition.startsWith('!') ? !at(values, condition.slice(1)) : Boolean(at(values, condition))
}

function at(values: Json, path: string): Json | undefined {
  return path
    .split('.')
    .reduce<Json | undefined>(
      (value, key) => (value && typeof value === 'object' && !Array.isArray(value) ? value[key] : undefined),
      values,
    )
}

function isComplete(value: Json | undefined): boolean {
  const { requests, limits } = (value ?? {}) as { requests?: Record<string, Json>; limits?: Record<string, Json> }
  return requests?.cpu !== undefined && requests.memory !== undefined && limits?.memory !== undefined
}
