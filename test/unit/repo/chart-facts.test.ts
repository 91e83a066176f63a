import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chartFindings, unknownValueKeys } from '../../../src/lib/repo/chart-facts.ts'
import type { Release } from '../../../src/lib/repo/releases.ts'
import type { Json } from '../../../src/lib/types.ts'

const root = mkdtempSync(join(tmpdir(), 'k8sops-charts-'))
beforeAll(() => {
  mkdirSync(join(root, 'lab/charts'), { recursive: true })
  writeFileSync(
    join(root, 'lab/charts/web-1.2.3.json'),
    JSON.stringify({ values: ['image.tag', 'resources.*', 'replicas'] }),
  )
})
afterAll(() => rmSync(root, { recursive: true }))

const release = (version: string, values: { [key: string]: Json }, chartName = 'web') =>
  ({ namespace: 'ns', name: 'r', chartName, version, values, file: 'app/helmrelease.yaml' }) as unknown as Release

test('a key that the chart lacks is found, with the place where it is set', async () => {
  expect(
    await chartFindings(root, [
      release('1.2.3', { image: { tag: 'x', typo: { deep: 1 } }, resources: { any: { thing: 1 } } }),
    ]),
  ).toEqual([
    {
      file: 'app/helmrelease.yaml',
      message: 'HelmRelease ns/r: chart web 1.2.3 has no value image.typo, helm would ignore it',
      path: ['spec', 'values', 'image', 'typo'],
    },
  ])
})

test('a leading v of the tag does not matter, another version does', async () => {
  expect(await chartFindings(root, [release('v1.2.3', { replicas: 1 })])).toEqual([])
  const [finding] = await chartFindings(root, [release('1.2.4', {})])
  expect(finding?.message).toBe(
    'HelmRelease ns/r: nothing is known about chart web 1.2.4 (lab/charts/web-1.2.4.json is missing)',
  )
})

test('k8sops’s own records stand in for a repository without them', async () => {
  expect(await chartFindings(root, [release('1.19.3', { MTU: 9000 }, 'cilium')])).toEqual([])
})

test('keys with dots inside an open map, lists and globals are the chart’s business', () => {
  const chart = { values: ['a.*', 'list', 'map.leaf'] }
  expect(unknownValueKeys(chart, { a: { 'x.y/z': 1 }, list: [{ b: 1 }], global: { c: 1 } })).toEqual([])
  expect(unknownValueKeys(chart, { map: { leaf: 1, other: 1 }, none: null })).toEqual([['map', 'other'], ['none']])
})
