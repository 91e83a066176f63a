import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { packTgz } from '../../src/lib/lab/charts/archive.ts'
import { standInCrds, standInGroup } from '../../src/lib/lab/charts/crds.ts'
import { createCharts, sha256 } from '../../src/lib/lab/charts/index.ts'
import { placeholderArchive, placeholderFiles, valuesSchema } from '../../src/lib/lab/charts/placeholder.ts'
import { type ChartRecord, labDataDir, readChartRecord } from '../../src/lib/lab/charts/record.ts'
import { createTable } from '../../src/lib/lab/charts/schemas-from-crds.ts'
import { createChartSources } from '../../src/lib/lab/charts/sources.ts'
import { unknownValueKeys } from '../../src/lib/repo/chart-facts.ts'
import { valueKeys } from '../../src/lib/repo/chart-value-keys.ts'

const root = join(import.meta.dirname, '../..')
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8sops-charts-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const record: ChartRecord = {
  name: 'shop',
  version: '1.2.3',
  appVersion: '9',
  url: 'oci://registry.test/charts/shop',
  source: 'made up',
  values: ['replicas', 'web.resources.*', 'web.port', 'crds.enabled'],
  defaults: { replicas: 1, web: { resources: {} }, crds: { enabled: true } },
  workloads: [
    {
      kind: 'Deployment',
      name: '{fullname}-web',
      replicasValue: 'replicas',
      labels: { app: 'shop' },
      containers: [{ name: 'web', image: 'shop:9', resourcesValue: 'web.resources' }],
    },
  ],
  crds: [{ placement: 'templates', when: ['crds.enabled'], names: ['certificates.cert-manager.io'] }],
}

describe('archives', () => {
  test('the same files give the same bytes, which tar can read', async () => {
    const deep = `${'directory/'.repeat(12)}file.txt`
    const files = new Map([
      ['chart/Chart.yaml', 'name: x\n'],
      [deep, 'ü'],
    ])
    expect(packTgz(files)).toEqual(packTgz(new Map(files)))
    await writeFile(join(dir, 'a.tgz'), packTgz(files))
    const list = execFileSync('tar', ['-tzf', join(dir, 'a.tgz')], { encoding: 'utf8' })
    expect(list.trim().split('\n')).toEqual(['chart/Chart.yaml', deep])
    expect(execFileSync('tar', ['-xzOf', join(dir, 'a.tgz'), deep], { encoding: 'utf8' })).toBe('ü')
  })

  test('a path that ustar cannot hold is refused', () => {
    expect(() => packTgz(new Map([['x'.repeat(300), '']]))).toThrow('path too long')
  })
})

describe('placeholders', () => {
  test('a key may hold a dot of its own', () => {
    const dotted = { ...record, values: ['grafana\\.ini.*', 'web.port'] }
    expect(valuesSchema(dotted)).toMatchObject({ properties: { 'grafana.ini': {}, web: {} } })
    const values = { 'grafana.ini': { server: {} }, grafana: { ini: {} }, web: { host: '' } }
    expect(unknownValueKeys(dotted, values)).toEqual([['grafana'], ['web', 'host']])
  })

  test('a value key that the chart lacks is an error of its schema', () => {
    expect(valuesSchema(record)).toMatchObject({
      additionalProperties: false,
      properties: {
        replicas: { type: ['array', 'boolean', 'null', 'number', 'string'] },
        web: { additionalProperties: false, properties: { resources: {}, port: {} } },
        global: {},
      },
    })
  })

  test('templates read the values that the record names', () => {
    const deployment = placeholderFiles(record, new Map()).get('shop/templates/deployment-0.yaml')
    expect(deployment).toContain('"name": "{{ include `placeholder.fullname` $ }}-web"')
    expect(deployment).toContain('"replicas": {{ (index $.Values `replicas`) | toJson }}')
    expect(deployment).toContain('"resources": {{ (index $.Values `web` `resources`) | toJson }}')
  })

  test('a CRD is a template under its condition, and its text stays out of the template engine', async () => {
    const [crd] = await standInCrds(['certificates.cert-manager.io'], new Set())
    const files = placeholderFiles(record, new Map([['certificates.cert-manager.io', crd?.manifest ?? {}]]))
    const text = files.get('shop/templates/crds-0/certificates.cert-manager.io.yaml')
    expect(text).toMatch(/^\{\{- if and \(index \$\.Values `crds` `enabled`\) \}\}\n/)
    expect(placeholderFiles(record, new Map()).size).toBe(files.size - 1)
  })

  test('the digest of a placeholder does not change from build to build', () => {
    expect(sha256(placeholderArchive(record, new Map()))).toBe(sha256(placeholderArchive({ ...record }, new Map())))
  })
})

describe('stand-in CRDs', () => {
  test('carry the facts of the real ones, and the approval that protected groups need', async () => {
    const [gateway, nothing] = await standInCrds(
      ['gateways.gateway.networking.k8s.io', 'nothing.example.org'],
      new Set(),
    )
    expect(nothing).toBeUndefined()
    expect(gateway?.manifest).toMatchObject({
      metadata: { annotations: { 'api-approved.kubernetes.io': expect.stringMatching(/^unapproved/) } },
      spec: { names: { kind: 'Gateway', shortNames: ['gtw'] }, scope: 'Namespaced' },
    })
  })

  test('a kind in use gets the fields of the real one, and none of the others does', async () => {
    const names = ['certificates.cert-manager.io', 'issuers.cert-manager.io']
    const [certificate, issuer] = await standInCrds(names, new Set(['Certificate']))
    expect([certificate?.fidelity, issuer?.fidelity]).toEqual(['derived', 'permissive'])
    const schemaOf = (crd: typeof issuer) =>
      (crd?.manifest.spec as { versions: { schema: object }[] } | undefined)?.versions[0]?.schema
    expect(schemaOf(issuer)).toEqual({
      openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    })
    const spec = {
      type: 'object',
      required: ['issuerRef', 'secretName'],
      properties: { dnsNames: { type: 'array', items: { type: 'string' } }, isCA: { type: 'boolean' } },
    }
    expect(schemaOf(certificate)).toMatchObject({
      openAPIV3Schema: { type: 'object', properties: { metadata: { type: 'object' }, spec } },
    })
  })

  test('a table keeps equal definitions once, and what the API server fills in is not required', () => {
    const { table, add } = createTable('made up')
    const point = { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'] }
    const spec = {
      type: 'object',
      properties: {
        from: point,
        to: point,
        many: { type: 'array', items: point },
        size: { 'x-kubernetes-int-or-string': true },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        mode: { type: 'string', default: 'a' },
      },
      required: ['from', 'mode'],
    }
    add('lines', 'v1', { type: 'object', properties: { spec, metadata: { type: 'object' } }, required: ['spec'] })
    expect(table.definitions).toEqual({
      0: { 'x!': 'integer' },
      1: {
        'from!': '#0',
        to: '#0',
        many: '[]#0',
        size: 'intOrString',
        labels: '{}string',
        free: 'any',
        mode: 'string',
      },
      2: { 'spec!': '#1' },
    })
    expect(table.roots).toEqual({ 'lines/v1': '2' })
  })

  test('each has exactly one storage version', async () => {
    const groups = (await readdir(join(labDataDir(), 'crds'))).filter((file) => file.endsWith('.json'))
    expect(groups.length).toBeGreaterThan(8)
    for (const file of groups) {
      for (const { name, manifest } of await standInGroup(file.replace('.json', ''), new Set())) {
        const { versions } = manifest.spec as unknown as { versions: { storage: boolean }[] }
        expect(versions.filter(({ storage }) => storage).length, name).toBe(1)
      }
    }
  })
})

describe('the value keys of a chart', () => {
  test('are those of values.yaml, and those that templates read, also by another name', async () => {
    const chart = join(dir, 'keys')
    await mkdir(join(chart, 'templates'), { recursive: true })
    await writeFile(join(chart, 'values.yaml'), 'replicas: 1\nstore:\n  s3:\n    bucket: b\n')
    await writeFile(
      join(chart, 'templates/cm.yaml'),
      '{{- $store := .Values.store -}}\na: {{ $store.s3.endpoint }}\nb: {{ .Values.late }}\nc: {{ $other.s3.no }}\n',
    )
    expect(await valueKeys(chart)).toEqual(['late.*', 'replicas', 'store.s3.bucket', 'store.s3.endpoint.*'])
  })
})

describe('the records of this repository', () => {
  test('every chart that it names has one, whose CRDs are all known', async () => {
    const sources = await createChartSources(root).read()
    expect(sources.length).toBeGreaterThan(10)
    for (const source of sources) {
      const found = await readChartRecord(source, root)
      expect(found, `${source.name} ${source.version} (${source.file}) has no record in lab/charts`).toBeDefined()
      const names = (found?.crds ?? []).flatMap((crds) => crds.names)
      expect((await standInCrds(names, new Set())).map(({ name }) => name)).toEqual(names)
    }
  })

  test('no HelmRelease sets a key that its chart lacks', async () => {
    const sources = await createChartSources(root).read()
    const problems: string[] = []
    for (const source of sources) {
      const text = await readFile(join(root, source.file, '../helmrelease.yaml'), 'utf8').catch(() => undefined)
      const found = await readChartRecord(source, root)
      if (text === undefined || !found) continue
      const { spec } = parse(text) as { spec: { values?: unknown } }
      const unknown = unknownValueKeys(found, spec.values as Parameters<typeof unknownValueKeys>[1])
      problems.push(...unknown.map((path) => `${source.name}: ${path.join('.')}`))
    }
    expect(problems).toEqual([])
  })

  test('a version is found with and without its v', async () => {
    expect((await readChartRecord({ name: 'cert-manager', version: '1.20.2' }))?.version).toBe('v1.20.2')
    expect(await readChartRecord({ name: 'cert-manager', version: '0.0.1' })).toBeUndefined()
  })
})

describe('served charts', () => {
  test('a real archive in the cache wins over the placeholder, and both are counted', async () => {
    const cache = await mkdtemp(join(dir, 'cache-'))
    await writeFile(join(cache, 'cilium-1.19.3.tgz'), 'the real one')
    const charts = createCharts(root, { cache })
    const [cilium] = await charts.at('quay.io', 'cilium/charts/cilium')
    expect(cilium).toMatchObject({ real: true, digest: sha256('the real one') })
    const counts = await charts.counts()
    expect(counts).toMatchObject({ real: 1, missing: [] })
    expect(counts.placeholder).toBeGreaterThan(9)
  })

  test('a withheld CRD is missing from its chart, and only there', async () => {
    const cache = join(dir, 'none')
    const certManager = (withheld?: string) =>
      createCharts(root, { cache, withheld: () => withheld }).at('quay.io', 'jetstack/charts/cert-manager')
    const [whole] = await certManager()
    const [less] = await certManager('issuers.cert-manager.io')
    const [last] = await certManager('')
    const total = whole?.crds ?? { derived: 0, permissive: 0 }
    const count = (crds = total) => crds.derived + crds.permissive
    expect([count(less?.crds), count(last?.crds)]).toEqual([count() - 1, count() - 1])
    const [cilium] = await createCharts(root, { cache, withheld: () => '' }).at('quay.io', 'cilium/charts/cilium')
    expect(cilium?.digest).toBe((await createCharts(root, { cache }).at('quay.io', 'cilium/charts/cilium'))[0]?.digest)
  })
})
