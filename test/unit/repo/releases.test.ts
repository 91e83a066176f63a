import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { entryKustomization } from '../../../src/lib/repo/flux.ts'
import { manifest } from '../../../src/lib/repo/manifests.ts'
import { mergeValues, releasesOf } from '../../../src/lib/repo/releases.ts'
import type { Json } from '../../../src/lib/types.ts'
import { fc } from '../../helpers/seeded-check.ts'

function of(...objects: object[]) {
  const manifests = objects.map((object) => manifest(stringify(object), 'app/file.yaml'))
  return releasesOf([{ kustomization: { ...entryKustomization('x'), name: 'k' }, manifests, findings: [] }])
}

const object = (apiVersion: string, kind: string, name: string, spec: object, namespace = 'ns') => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  spec,
})
const release = (spec: object, name = 'r') => object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', name, spec)
const oci = (ref: object | undefined, name = 'c', namespace = 'ns') =>
  object(
    'source.toolkit.fluxcd.io/v1',
    'OCIRepository',
    name,
    { url: `oci://registry.example.org/charts/${name}`, ref },
    namespace,
  )
const repository = (url: string) => object('source.toolkit.fluxcd.io/v1', 'HelmRepository', 'h', { url })
const chartRef = { kind: 'OCIRepository', name: 'c' }

describe('the chart', () => {
  test('of an OCIRepository, in another namespace too', () => {
    expect(of(release({ chartRef }), oci({ tag: '1.2.3' })).found[0]).toMatchObject({
      chart: 'oci://registry.example.org/charts/c',
      chartName: 'c',
      version: '1.2.3',
      kustomization: 'flux-system/k',
      file: 'app/file.yaml',
    })
    const elsewhere = of(release({ chartRef: { ...chartRef, namespace: 'other' } }), oci({ tag: '1' }, 'c', 'other'))
    expect(elsewhere.found).toHaveLength(1)
  })

  test.each([
    [
      'https://charts.example.org',
      { chart: 'web', chartName: 'web', version: '1.0.0', repository: 'https://charts.example.org' },
    ],
    ['oci://ghcr.io/x', { chart: 'oci://ghcr.io/x/web', chartName: 'web', version: '1.0.0' }],
  ])('of a HelmRepository at %s', (url, expected) => {
    const chart = { spec: { chart: 'web', version: '1.0.0', sourceRef: { kind: 'HelmRepository', name: 'h' } } }
    expect(of(release({ chart }), repository(url)).found[0]).toMatchObject(expected)
  })

  test.each([
    [{ chartRef }, 'chartRef: OCIRepository ns/c is not in the repository'],
    [{}, 'neither chart nor chartRef'],
    [
      { chart: { spec: { chart: 'x', sourceRef: { kind: 'HelmRepository', name: 'h' } } } },
      'HelmRepository ns/h is not in',
    ],
  ])('%j cannot be worked out', (spec, message) => {
    const { found, findings } = of(release(spec))
    expect(found).toEqual([])
    expect(findings).toEqual([
      expect.objectContaining({ file: 'app/file.yaml', message: expect.stringContaining(message) }),
    ])
  })

  test.each([[undefined], [{ semver: '>=1' }], [{}]])('a reference that is not pinned (%j) is refused', (ref) => {
    expect(of(release({ chartRef }), oci(ref)).findings[0]?.message).toContain('is not pinned')
  })

  test('one broken release does not hide the others', () => {
    const { found, findings } = of(release({}, 'broken'), release({ chartRef }, 'sound'), oci({ tag: '1' }))
    expect([found.map(({ name }) => name), findings.length]).toEqual([['sound'], 1])
  })
})

test('names are composed as helm-controller does', () => {
  const names = (spec: object) => {
    const { releaseName, releaseNamespace, storageNamespace } =
      of(release({ chartRef, ...spec }), oci({ tag: '1' })).found[0] ?? {}
    return [releaseName, releaseNamespace, storageNamespace]
  }
  expect(names({})).toEqual(['r', 'ns', 'ns'])
  expect(names({ targetNamespace: 't' })).toEqual(['t-r', 't', 'ns'])
  expect(names({ targetNamespace: 't', releaseName: 'own', storageNamespace: 's' })).toEqual(['own', 't', 's'])
})

test('dependsOn is completed with the namespace', () => {
  const dependsOn = [{ name: 'a' }, { name: 'b', namespace: 'other' }]
  expect(of(release({ chartRef, dependsOn }), oci({ tag: '1' })).found[0]?.dependsOn).toEqual(['ns/a', 'other/b'])
})

describe('values', () => {
  const withValues = (valuesFrom: object[], data: Record<string, string> = {}) =>
    of(release({ chartRef, valuesFrom, values: { a: { over: 2 }, list: [9] } }), oci({ tag: '1' }), {
      ...object('v1', 'ConfigMap', 'v', {}),
      data,
    })

  test('of ConfigMaps come first, the release’s own win, lists are replaced', () => {
    const data = { 'values.yaml': 'a: {base: 1, over: 1}\nlist: [1, 2]\n' }
    expect(withValues([{ kind: 'ConfigMap', name: 'v' }], data).found[0]?.values).toEqual({
      a: { base: 1, over: 2 },
      list: [9],
    })
  })

  test('of a Secret are never read', () => {
    expect(withValues([{ kind: 'Secret', name: 'v' }]).findings[0]?.message).toContain(
      'cannot be read from the repository',
    )
  })

  test('that are missing are refused, unless they are optional', () => {
    expect(withValues([{ kind: 'ConfigMap', name: 'v' }]).findings[0]?.message).toContain(
      'ConfigMap ns/v is not in the repository',
    )
    expect(withValues([{ kind: 'ConfigMap', name: 'v', optional: true }]).found).toHaveLength(1)
  })

  test('merging: the later one wins at every key, and nothing else is lost', () => {
    const values = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue()) as fc.Arbitrary<{
      [key: string]: Json
    }>
    fc.assert(
      fc.property(values, values, (base, over) => {
        const merged = mergeValues(base, over)
        expect(new Set(Object.keys(merged))).toEqual(new Set([...Object.keys(base), ...Object.keys(over)]))
        expect(mergeValues(merged, over)).toEqual(merged)
        expect(mergeValues({}, over)).toEqual(over)
        expect(mergeValues(base, {})).toEqual(base)
      }),
    )
  })
})
