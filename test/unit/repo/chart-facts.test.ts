import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readChartFacts, unknownValueKeys } from '../../../src/lib/repo/chart-facts.ts'

const root = mkdtempSync(join(tmpdir(), 'k8sops-charts-'))
beforeAll(() => {
  mkdirSync(join(root, 'lab/charts'), { recursive: true })
  writeFileSync(join(root, 'lab/charts/web-1.2.3.json'), JSON.stringify({ values: ['replicas'] }))
})
afterAll(() => rmSync(root, { recursive: true }))

test('a leading v of the tag does not matter, another version does', async () => {
  expect(await readChartFacts(root, 'web', 'v1.2.3')).toEqual({ values: ['replicas'] })
  expect(await readChartFacts(root, 'web', '1.2.4')).toBeUndefined()
})

test('k8sops’s own records stand in for a repository without them', async () => {
  expect(await readChartFacts(root, 'cilium', '1.19.3')).toMatchObject({ name: 'cilium' })
})

test('a key that the chart lacks is found; inside an open map, lists and globals are the chart’s business', () => {
  const chart = { values: ['a.*', 'list', 'map.leaf'] }
  expect(unknownValueKeys(chart, { a: { 'x.y/z': 1 }, list: [{ b: 1 }], global: { c: 1 } })).toEqual([])
  expect(unknownValueKeys(chart, { map: { leaf: 1, other: { deep: 1 } }, none: null })).toEqual([
    ['map', 'other'],
    ['none'],
  ])
})
