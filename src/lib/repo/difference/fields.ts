/** Which fields of an object differ. */
import { isFields } from '../fields.ts'

export interface FieldChange {
  path: (string | number)[]
  before?: unknown
  after?: unknown
}

/** Says nothing about what runs: a chart's own version, and sums that only make a pod restart together with what they are over. */
const noise =
  /^(helm\.sh\/chart|app\.kubernetes\.io\/version|chart|helm\.toolkit\.fluxcd\.io\/.*|kustomize\.toolkit\.fluxcd\.io\/(name|namespace))$/

/** Items of these lists are told by their name, so that one more in front is not a change of all. */
const keyed = ['name', 'containerPort', 'key']

/** Every item has it, and none the same as another: two expressions of a selector may well have one key. */
function isTelling(name: string, list: unknown[]): boolean {
  const values = list.map((item) => (isFields(item) ? item[name] : undefined))
  return values.every((value) => value !== undefined) && new Set(values).size === values.length
}

/** The deepest fields that differ; a list of named things is compared by name. */
export function fieldChanges(before: unknown, after: unknown, path: (string | number)[] = []): FieldChange[] {
  if (Object.is(before, after)) return []
  if (isFields(before) && isFields(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((key) => !(noise.test(key) && ['labels', 'matchLabels', 'annotations'].includes(String(path.at(-1)))))
      .flatMap((key) => fieldChanges(before[key], after[key], [...path, key]))
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const key = keyed.find((name) => isTelling(name, before) && isTelling(name, after))
    if (key === undefined) {
      const length = Math.max(before.length, after.length)
      return Array.from({ length }).flatMap((_, index) => fieldChanges(before[index], after[index], [...path, index]))
    }
    const names = new Set([...before, ...after].map((item) => (item as Record<string, unknown>)[key]))
    const named = (list: unknown[], name: unknown) =>
      list.find((item) => (item as Record<string, unknown>)[key] === name)
    return [...names].flatMap((name) => fieldChanges(named(before, name), named(after, name), [...path, String(name)]))
  }
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }]
}
