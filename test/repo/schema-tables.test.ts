/** The tables of lab/crds/schemas are what their generator makes of the CRDs, shown on those that are on this machine: Flux' own, pinned. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { SchemaTable } from '../../src/lib/lab/charts/schemas.ts'
import { tableOf } from '../../src/lib/lab/charts/schemas-from-crds.ts'
import { checkSchema } from '../../src/lib/repo/schema-tables.ts'
import { projectRoot, toolPath } from './tool.ts'

const groups = ['helm', 'kustomize', 'notification', 'source'].map((word) => `${word}.toolkit.fluxcd.io`)
const directory = join(projectRoot, 'lab/crds/schemas')
const committed = (group: string) => JSON.parse(readFileSync(join(directory, `${group}.json`), 'utf8')) as SchemaTable

test.each(groups)('%s: made anew from the pinned CRDs it is the same, byte for byte', async (group) => {
  const crds = toolPath('flux-crds')
  const files = readdirSync(crds)
    .sort()
    .map((name) => join(crds, name))
  const table = await tableOf(group, committed(group).source, files)
  expect(`${JSON.stringify(table)}\n`).toBe(readFileSync(join(directory, `${group}.json`), 'utf8'))
})

test('patterns and words are in what it makes', () => {
  const table = committed('kustomize.toolkit.fluxcd.io')
  const root = table.roots['kustomizations/v1'] ?? ''
  const said = (spec: object) => checkSchema(table, root, { spec }).map(({ message }) => message)
  const spec = { interval: '5m', prune: true, sourceRef: { kind: 'GitRepository', name: 'x' } }
  expect(said(spec)).toEqual([])
  expect(said({ ...spec, interval: 'five' })).toEqual([expect.stringMatching(/^interval: "five" is no text like /)])
  expect(said({ ...spec, sourceRef: { kind: 'Git', name: 'x' } })).toEqual([
    expect.stringMatching(/^kind: "Git" is no /),
  ])
})
