/** `k8sops app new --chart` with charts that the real helm packaged, pulls and renders, from the lab's registry in place of ghcr.io. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { ChartRecord } from '../../src/lib/lab/charts/record.ts'
import { proxyCaFile, proxyPort } from '../../src/lib/lab/materialise/environment.ts'
import { startRegistry } from '../../src/lib/lab/registry/index.ts'
import type { Part } from '../../src/lib/lab/types.ts'
import { stubLab } from '../helpers/stub-lab.ts'
import { projectRoot, runTool } from './tool.ts'
import { workingCopy } from './working-copy.ts'

const { k8sops, within, read, remove } = workingCopy()
const dir = mkdtempSync(join(tmpdir(), 'k8sops-chart-registry-'))
const shop = 'oci://ghcr.io/acme/charts/shop'
let registry: Part
let online: NodeJS.ProcessEnv

beforeAll(async () => {
  const cache = join(dir, 'charts')
  const picky = join(dir, 'picky')
  for (const directory of [cache, join(picky, 'templates'), join(dir, 'repo/kubernetes')])
    mkdirSync(directory, { recursive: true })
  writeFileSync(join(picky, 'Chart.yaml'), 'apiVersion: v2\nname: picky\nversion: 0.1.0\n')
  writeFileSync(join(picky, 'values.yaml'), 'host: ""\nresources: {}\n')
  writeFileSync(join(picky, 'templates/all.yaml'), '{{ required "say which host" .Values.host }}\n')
  for (const chart of [join(projectRoot, 'test/fixtures/charts/shop'), picky])
    runTool('helm', ['package', chart, '--destination', cache], { env: { HOME: dir } })
  const served = [
    ['shop', '1.2.3'],
    ['picky', '0.1.0'],
  ].map(
    ([name, tag]) =>
      `kind: OCIRepository\nmetadata: {name: ${name}}\nspec: {url: "oci://ghcr.io/acme/charts/${name}", ref: {tag: ${tag}}}\n`,
  )
  writeFileSync(join(dir, 'repo/kubernetes/charts.yaml'), served.join('---\n'))
  const lab = stubLab(dir, 236)
  registry = await startRegistry(lab, { cache })
  const proxy = `http://${lab.spec.base}:${proxyPort}`
  online = {
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    SSL_CERT_FILE: proxyCaFile(dir),
    HELM_CACHE_HOME: join(dir, 'helm'),
  }
})
afterAll(async () => {
  await registry.stop()
  remove()
  rmSync(dir, { recursive: true })
})

const common = ['--cluster', 'apps', '--namespace', 'business']

/** What `validate` says about files whose path or text has one of these words. */
async function findings(env: NodeJS.ProcessEnv, name: string) {
  const { stdout } = await within(env, 'validate', '--cluster', 'apps', '-o', 'json')
  const { items } = JSON.parse(stdout) as { items: { rule: string; file: string; message: string }[] }
  return items.filter(({ file, message }) => `${file} ${message}`.includes(name))
}

test('the newest version is pinned, its values have what the rules want, and it is valid as it is written, with its registry and without', async () => {
  const all = ['--host', 'store', '--volume', '5Gi', '--database', '--secret', '--memory', '1Gi']
  const made = await within(online, 'app', 'new', 'store', ...common, '--chart', shop, ...all)
  expect(made, made.stderr).toMatchObject({ code: 0 })
  const source = parse(read('kubernetes/apps/base/store/ocirepository.yaml'))
  const like = parse(read('kubernetes/apps/base/authentik/ocirepository.yaml'))
  expect(source).toEqual({
    ...like,
    metadata: { name: 'store', namespace: 'business' },
    spec: { ...like.spec, ref: { tag: '1.2.3' }, url: shop },
  })
  const text = read('kubernetes/apps/base/store/helmrelease.yaml')
  const resources = { requests: { cpu: '50m', memory: '512Mi' }, limits: { memory: '1Gi' } }
  const container = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
  expect(parse(text).spec).toEqual({
    chartRef: { kind: 'OCIRepository', name: 'store' },
    interval: '15m',
    values: {
      nameOverride: 'store',
      metrics: { enabled: true, resources, securityContext: container, serviceMonitor: { enabled: true } },
      persistence: { enabled: true, existingClaim: 'store' },
      podAnnotations: { 'reloader.stakater.com/auto': 'true' },
      podLabels: { 'k8sops.dev/postgres': 'client' },
      podSecurityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      resources,
      securityContext: container,
    },
  })
  expect(text).toContain(`helm show values ${shop} --version 1.2.3`)
  expect(text).toMatch(/^ {4}# {3}.*replicaCount, service, serviceAccount, tolerations$/m)
  const { spec } = parse(read('kubernetes/clusters/apps/apps/business/store/ks.yaml'))
  expect(spec.postBuild.substitute).toMatchObject({ SERVICE: 'store', PORT: '8080', HOST: 'store' })
  expect(await findings(online, 'store')).toEqual([])
  expect(await findings({}, 'store')).toEqual([])
})

test('the record that it leaves says what the chart takes and makes', () => {
  const record = JSON.parse(read('lab/charts/shop-1.2.3.json')) as ChartRecord
  const selector = { 'app.kubernetes.io/name': '{value:nameOverride:-shop}', 'app.kubernetes.io/instance': '{release}' }
  expect(record).toMatchObject({
    name: 'shop',
    version: '1.2.3',
    appVersion: '2.0.1',
    url: shop,
    serviceAccounts: [{ name: '{fullname}' }],
    workloads: [
      {
        kind: 'Deployment',
        name: '{fullname}-web',
        replicasValue: 'replicaCount',
        restricted: true,
        labels: selector,
        serviceAccount: '{fullname}',
        containers: [
          {
            name: 'web',
            image: 'ghcr.io/acme/shop:2.0.1',
            resourcesValue: 'resources',
            ports: [{ name: 'http', port: 8080 }],
          },
          { name: 'exporter', resourcesValue: 'metrics.resources' },
        ],
      },
    ],
    services: [{ name: '{fullname}', selector, ports: [{ name: 'http', port: 8080, targetPort: 'http' }] }],
  })
  expect(record.values).toEqual(
    expect.arrayContaining(['nodeSelector.*', 'service.port', 'metrics.serviceMonitor.enabled']),
  )
})

test('without its registry a chart that there is a record of gets its values from that', async () => {
  const made = await k8sops('app', 'new', 'kiosk', ...common, '--chart', shop, '--version', '1.2.3', '--host', 'kiosk')
  expect(made, made.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('could not be had') })
  const { spec } = parse(read('kubernetes/apps/base/kiosk/helmrelease.yaml'))
  expect(Object.keys(spec.values)).toEqual(['metrics', 'nameOverride', 'resources'])
  expect(await findings({}, 'kiosk')).toEqual([])
})

test('of a chart that nobody knows the files are there all the same, and what is missing is said here and by validate', async () => {
  const unknown = ['--chart', 'oci://ghcr.io/acme/charts/garden', '--version', '3.0.0']
  const made = await within(online, 'app', 'new', 'garden', ...common, ...unknown)
  expect(made, made.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('could not be had: ') })
  expect(parse(read('kubernetes/apps/base/garden/helmrelease.yaml')).spec.values).toEqual({})
  expect((await findings({}, 'garden')).map(({ rule }) => rule)).toEqual(['chart-known'])
})

test('a chart that does not render with its own values is pinned, and the reason is said', async () => {
  const made = await within(online, 'app', 'new', 'fence', ...common, '--chart', 'oci://ghcr.io/acme/charts/picky')
  expect(made, made.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('say which host') })
  expect(read('kubernetes/apps/base/fence/helmrelease.yaml')).toMatch(/^ {4}# {3}host, resources$/m)
  expect(parse(read('kubernetes/apps/base/fence/ocirepository.yaml')).spec.ref).toEqual({ tag: '0.1.0' })
})

test('nothing is written when there is nothing to pin, no Service for the route, or an option is wrong', async () => {
  const cases: [NodeJS.ProcessEnv, string[], string[]][] = [
    [{}, ['--chart', shop], ['could not be had', '--version']],
    [online, ['--chart', shop, '--host', 'x', '--port', '81'], ['none listens on 81', '8080']],
    [{}, ['--chart', 'https://x/y', '--version', 'latest'], ['--chart https://x/y', '--version latest']],
    [{}, ['--chart', shop, '--image', 'ghcr.io/a/b:1'], ['one of --image and --chart']],
    [{}, ['--image', 'ghcr.io/a/b:1', '--version', '1.0.0'], ['--version is that of a --chart']],
  ]
  for (const [env, args, said] of cases) {
    const before = read('kubernetes/clusters/apps/apps/kustomization.yaml')
    const refused = await within(env, 'app', 'new', 'nothing', ...common, ...args)
    expect(refused.code, refused.stderr).toBe(2)
    for (const what of said) expect(refused.stderr).toContain(what)
    expect(read('kubernetes/clusters/apps/apps/kustomization.yaml')).toBe(before)
  }
})
