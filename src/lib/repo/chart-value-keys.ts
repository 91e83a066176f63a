/**
 * Reads the value keys of an unpacked chart, for its record. A new version of a chart needs a new record:
 *   node src/lib/repo/chart-value-keys.ts <directory of the chart>   prints the keys as JSON
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'

type Schema = {
  $ref?: string
  $defs?: Record<string, Schema>
  definitions?: Record<string, Schema>
  properties?: Record<string, Schema>
  patternProperties?: unknown
  additionalProperties?: unknown
  type?: string | string[]
}

/**
 * Every key that the chart at `directory` reads: those of values.yaml, of values.schema.json, and those that only its
 * templates mention. Sorted. A map that is empty, null or has keys with dots takes any key (`.*`).
 */
export async function valueKeys(directory: string): Promise<string[]> {
  const keys = new Map<string, 'map' | 'leaf' | 'open'>()
  const text = (file: string) => readFile(join(directory, file), 'utf8').catch(() => '')
  fromValues(parse(await text('values.yaml')) ?? {}, '', keys)
  const schema = JSON.parse((await text('values.schema.json')) || '{}') as Schema
  fromSchema(schema, schema, '', keys)
  const charts = (await readdir(join(directory, 'charts')).catch(() => [])).filter((name) => !name.endsWith('.tgz'))
  for (const name of charts) fromValues({ [name]: {} }, '', keys)
  const templates = await readdir(join(directory, 'templates'), { recursive: true }).catch(() => [])
  for (const file of templates) {
    // Templates that only refuse options of the past mention keys that don't work any more.
    if (/(validate|NOTES)[^/]*$/.test(file) || !/\.(ya?ml|tpl|txt)$/.test(file)) continue
    fromTemplate(await text(join('templates', file)), keys)
  }
  for (const [path, kind] of keys) if (kind === 'map' && kubernetesTyped.test(path)) keys.set(path, 'open')
  const paths = [...keys].map(([path, kind]) => (kind === 'open' ? `${path}.*` : kind === 'leaf' ? path : ''))
  return paths.filter((path) => path !== '' && !insideOpen(path.replace(/\.\*$/, ''), keys)).sort()
}

type Keys = Map<string, 'map' | 'leaf' | 'open'>

function fromValues(value: unknown, path: string, keys: Keys): void {
  if (value === null || (isMap(value) && Object.keys(value).length === 0)) {
    if (path) keys.set(path, 'open')
  } else if (!isMap(value)) {
    keys.set(path, 'leaf')
  } else if (path && Object.keys(value).some((key) => key.includes('.') || key.includes('/'))) {
    keys.set(path, 'open')
  } else {
    if (path) keys.set(path, 'map')
    for (const [key, child] of Object.entries(value))
      fromValues(child, path ? `${path}.${key}` : key.replaceAll('.', '\\.'), keys)
  }
}

function fromSchema(schema: Schema, root: Schema, path: string, keys: Keys): void {
  if (schema.$ref?.startsWith('#/')) {
    const target = schema.$ref
      .slice(2)
      .split('/')
      .reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key.replaceAll('~1', '/')], root)
    fromSchema((target ?? {}) as Schema, root, path, keys)
    return
  }
  const isObject = schema.type === 'object' || (Array.isArray(schema.type) && schema.type.includes('object'))
  if (schema.properties) {
    if (path && keys.get(path) !== 'open') keys.set(path, 'map')
    for (const [key, child] of Object.entries(schema.properties))
      fromSchema(child, root, path ? `${path}.${key}` : key, keys)
  } else if (path && isObject && keys.get(path) !== 'map') {
    keys.set(path, 'open')
  } else if (path && !keys.has(path)) {
    keys.set(path, schema.type === undefined || isObject ? 'open' : 'leaf')
  }
}

/** Maps that Kubernetes defines and charts hand through, whatever keys the default happens to have. */
const kubernetesTyped =
  /(^|\.)(affinity|nodeSelector|resources|\w*[sS]ecurityContext|\w*(Annotations|Labels|Probe)|annotations|labels)$/

/** `$storage := .Values.a.b` and later `$storage.c`: the same as `.Values.a.b.c`. */
function spellOut(text: string): string {
  const names = [...text.matchAll(/\$(\w+) *:= *\$?\.Values\.([\w.]+) *-?\}\}/g)]
  return names.reduce(
    (all, [, name, path]) => all.replaceAll(new RegExp(`\\$${name}\\.(?=\\w)`, 'g'), `.Values.${path}.`),
    text,
  )
}

function fromTemplate(template: string, keys: Keys): void {
  const text = spellOut(template)
  // `toYaml .Values.x`, `with .Values.x ... toYaml .` and `range ... .Values.x` hand a whole map through.
  const whole =
    /(?:toYaml|range (?:\$\w+, )?\$\w+ :=|range) \(?\.Values\.([\w.]+)|\.Values\.([\w.]+) \| toYaml|with \.Values\.([\w.]+)[^{}]*\}\}(?=[^{]*(?:\{\{-? *if[^{]*)?\{\{-? *toYaml \.)/g
  for (const match of text.matchAll(whole)) {
    const path = match[1] ?? match[2] ?? match[3]
    if (path && keys.get(path) === 'map') keys.set(path, 'open')
  }
  for (const [, path = ''] of text.matchAll(/\.Values\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)/g)) {
    if (keys.has(path) || insideOpen(path, keys)) continue
    const parents = path.split('.').slice(0, -1)
    const ancestor = parents
      .map((_, index) => parents.slice(0, index + 1).join('.'))
      .find((at) => keys.get(at) === 'leaf')
    if (ancestor) keys.set(ancestor, 'open')
    else keys.set(path, 'open')
  }
}

function insideOpen(path: string, keys: Keys): boolean {
  const parts = path.split('.')
  return parts.some((_, index) => index > 0 && keys.get(parts.slice(0, index).join('.')) === 'open')
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

if (import.meta.main) {
  const [directory] = process.argv.slice(2)
  if (!directory) throw new Error('usage: node src/lib/repo/chart-value-keys.ts <directory of the chart>')
  process.stdout.write(`${JSON.stringify(await valueKeys(directory), null, 1)}\n`)
}
