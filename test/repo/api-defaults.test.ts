/** What the mutation proof calls harmless because an API fills it in is what that API says, as far as it can be had here. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkType, pluralOf, readSchemaTables, schemaFor, typeOf } from '../../src/lib/repo/schema-tables.ts'
import { documented, ofCrds, ofKubernetes } from '../helpers/api-defaults.ts'
import { defaultsOfCrds } from '../helpers/defaults-from-crds.ts'
import { projectRoot, toolPath } from './tool.ts'

const partsOf = (id: string) => {
  const [kind = '', ...group] = id.split('.')
  return { kind, group: group.join('.') }
}

test('what Flux’ pinned CRDs fill in stands in the fixture as it is', () => {
  const directory = toolPath('flux-crds')
  const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'))
  const made = defaultsOfCrds('', texts)
  const ofFlux = Object.entries(ofCrds).filter(([id]) => partsOf(id).group.endsWith('.toolkit.fluxcd.io'))
  expect(ofFlux.length).toBeGreaterThan(5)
  for (const [id, { defaults }] of ofFlux) expect(defaults, id).toEqual(made[id]?.defaults)
})

test('each is of a field that its kind has, and a value that the field takes', async () => {
  const tables = await readSchemaTables(projectRoot)
  const told = { ...ofKubernetes, ...documented }
  const all = [...Object.entries(told), ...Object.entries(ofCrds).map(([id, { defaults }]) => [id, defaults] as const)]
  for (const [id, defaults] of all) {
    const { kind, group } = partsOf(id)
    const versions = Object.keys(tables.get(group)?.roots ?? tables.get('kubernetes')?.roots ?? {})
      .map((root) => root.split('/'))
      .filter((root) => root.at(-2) === pluralOf(kind))
      .map((root) => root.at(-1) ?? '')
    const schemas = [...new Set(versions)].flatMap(
      (version) => schemaFor(tables, { group, kind, apiVersion: `${group}/${version}` }) ?? [],
    )
    expect(schemas, id).not.toEqual([])
    for (const [path, value] of Object.entries(defaults)) {
      const fields = path.split('.').filter((key) => key !== '*')
      const wrong = schemas.map(({ table, root }) => {
        const type = typeOf(table, root, fields)
        return type === undefined ? 'no such field' : checkType(table, type, value, [path])
      })
      expect(wrong, `${id} ${path}`).toContainEqual([])
    }
  }
})

test('documentation is believed only where no CRD says it', () => {
  for (const [id, defaults] of Object.entries(documented))
    for (const path of Object.keys(defaults)) expect(ofCrds[id]?.defaults ?? {}, id).not.toHaveProperty([path])
})
