// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax under test
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConfigError, UsageError } from '../../src/lib/errors.ts'
import { locate } from '../../src/lib/repo/locate.ts'
import { releases } from '../../src/lib/repo/releases.ts'
import { type RenderedKustomization, renderCluster } from '../../src/lib/repo/render.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import { projectRoot } from './tool.ts'

let root: string
let builds: string[]
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-render-'))
  cpSync(join(projectRoot, 'test/fixtures/repo'), root, { recursive: true })
  builds = []
})
afterEach(() => rmSync(root, { recursive: true }))

const build = kustomizeBuild(process.env)
const kustomize = (directory: string) => {
  builds.push(directory.replace(/.*k8sops-build-[^/]*\//, ''))
  return build(directory)
}
const render = () => renderCluster(root, 'east', { kustomize })

const app = 'kubernetes/infrastructure/controllers/cert/cert-manager/app'
const ks = 'kubernetes/infrastructure/controllers/cert/cert-manager/ks.yaml'
const web = 'kubernetes/clusters/east/apps/web'

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(join(root, file), 'utf8')
  expect(text).toContain(from)
  writeFileSync(
    join(root, file),
    text.replace(from, () => to),
  )
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
}

const named = (rendered: RenderedKustomization[], name: string) =>
  rendered.find(({ kustomization }) => kustomization.name === name)!

async function problems(): Promise<string[]> {
  const findings = (await render()).flatMap((one) => one.findings)
  return (await locate(root, findings)).map(({ file, line, message }) => `${file}:${line}: ${message}`)
}

describe('a cluster is rendered as Flux would', () => {
  test('from the entry downwards, parents first, each once', async () => {
    const rendered = await render()
    const names = rendered.map(({ kustomization }) => kustomization.name)
    expect(names.toSorted()).toEqual(['apps', 'cert-manager', 'flux-system', 'infrastructure', 'web'])
    for (const { kustomization } of rendered) {
      if (kustomization.parent === undefined) continue
      expect(names.indexOf(kustomization.parent.split('/')[1] ?? '')).toBeLessThan(names.indexOf(kustomization.name))
    }
    expect(builds).toHaveLength(5)
  })

  test('with patches of patches, variables, components and common labels', async () => {
    const rendered = await render()
    const release = named(rendered, 'cert-manager')
      .manifests.find(({ kind }) => kind === 'HelmRelease')!
      .object()
    expect(release.spec).toMatchObject({
      install: { remediation: { retries: 3 } },
      values: {
        replicaCount: 2,
        extraArgs: ['--zone=east.example.org', '--literal=${NOT_SUBSTITUTED}', '--default=fallback'],
      },
    })
    const quota = named(rendered, 'web').manifests.find(({ kind }) => kind === 'ResourceQuota')!
    expect(quota.object().metadata).toEqual({
      name: 'default',
      namespace: 'web',
      labels: { 'app.kubernetes.io/name': 'web' },
    })
    expect(quota.file).toBe('kubernetes/apps/components/quota/resourcequota.yaml')
  })

  test('objects that opted out of substitution are left alone', async () => {
    const script = named(await render(), 'cert-manager').manifests.find(({ kind }) => kind === 'ConfigMap')!
    expect(script.object().data).toEqual({ 'run.sh': 'echo ${HOME}\n' })
  })

  test('a substituted word becomes what Go’s YAML makes of it', async () => {
    edit('kubernetes/clusters/east/infrastructure/kustomization.yaml', 'REPLICAS: "2"', 'REPLICAS: "on"')
    const release = named(await render(), 'cert-manager')
      .manifests.find(({ kind }) => kind === 'HelmRelease')!
      .object()
    expect(release.spec).toMatchObject({ values: { replicaCount: true } })
  })

  test('nothing is written to the working tree, and nothing is left in the temporary directory', async () => {
    const before = readdirSync(root, { recursive: true }).toSorted()
    // One of its own: other runs on this machine build in the shared one at the same time.
    const temporary = mkdtempSync(join(tmpdir(), 'k8sops-render-test-'))
    vi.stubEnv('TMPDIR', temporary)
    try {
      await render()
    } finally {
      vi.unstubAllEnvs()
    }
    expect(readdirSync(root, { recursive: true }).toSorted()).toEqual(before)
    expect(readdirSync(temporary)).toEqual([])
  })
})

describe('what is wrong is found with file and line, and stops nothing else', () => {
  test('a path that does not exist', async () => {
    edit(ks, 'cert-manager/app', 'cert-manager/gone')
    expect(await problems()).toEqual([
      `${ks}:8: Kustomization flux-system/cert-manager: path kubernetes/infrastructure/controllers/cert/cert-manager/gone does not exist`,
    ])
  })

  test('a variable that nothing defines', async () => {
    edit(`${app}/helmrelease.yaml`, '${CLUSTER_DOMAIN}', '${CLUSTER_DOMIAN}')
    expect(await problems()).toEqual([
      `${app}/helmrelease.yaml:13: Kustomization flux-system/cert-manager: HelmRelease cert-manager/cert-manager uses \${CLUSTER_DOMIAN}, which nothing defines`,
    ])
  })

  test('an operator that we do not evaluate', async () => {
    edit(`${app}/helmrelease.yaml`, '${CLUSTER_DOMAIN}', '${CLUSTER_DOMAIN^^}')
    expect((await problems())[0]).toMatch(
      /helmrelease\.yaml:13: .*operator that k8sops does not know: \$\{CLUSTER_DOMAIN\^\^\}/,
    )
  })

  test('a substituteFrom that is nowhere, unless it is optional', async () => {
    const flux = 'kubernetes/clusters/east/flux/infrastructure.yaml'
    edit(flux, '        name: cluster-settings\n  patches', '        name: other-settings\n  patches')
    expect(await problems()).toEqual([
      `${flux}:16: Kustomization flux-system/infrastructure: substituteFrom: ConfigMap flux-system/other-settings is not among what is rendered`,
    ])
    edit(flux, '        name: other-settings\n', '        name: other-settings\n        optional: true\n')
    expect(await problems()).toEqual([])
  })

  test('a directory that kustomize refuses', async () => {
    edit(`${web}/app/kustomization.yaml`, 'base/web', 'base/gone')
    const [problem] = await problems()
    expect(problem).toMatch(
      /^kubernetes\/clusters\/east\/apps\/web\/ks\.yaml:8: .*cannot be built: accumulating resources/,
    )
  })

  test('a source that is not this repository', async () => {
    edit(`${web}/ks.yaml`, 'kind: GitRepository', 'kind: OCIRepository')
    expect(await problems()).toEqual([
      `${web}/ks.yaml:18: Kustomization flux-system/web: its source is a OCIRepository, which this repository does not hold: not rendered`,
    ])
  })

  test('a name that is declared twice', async () => {
    write('kubernetes/clusters/east/flux/again.yaml', readFileSync(join(root, ks), 'utf8'))
    edit('kubernetes/clusters/east/flux/kustomization.yaml', '  - apps.yaml', '  - apps.yaml\n  - again.yaml')
    expect(await problems()).toEqual([`${ks}:4: Kustomization flux-system/cert-manager is declared twice`])
  })
})

test('a directory without kustomization.yaml is taken as Flux takes it', async () => {
  rmSync(join(root, web, 'kustomization.yaml'))
  rmSync(join(root, 'kubernetes/clusters/east/apps/kustomization.yaml'))
  const names = (await render()).map(({ kustomization }) => kustomization.name)
  // The subdirectory app/ has a kustomization.yaml of its own, so it is taken as a whole too, as in flux build.
  expect(names).toContain('web')
})

describe('releases', () => {
  test('of the whole cluster', async () => {
    const found = await releases(root, 'east', { kustomize })
    expect(found.map(({ name, chart, version }) => `${name} ${chart} ${version}`).toSorted()).toEqual([
      'cert-manager oci://quay.io/jetstack/charts/cert-manager v1.20.2',
      'web web 1.2.3',
    ])
    expect(found.find(({ name }) => name === 'web')?.values).toEqual({
      replicas: 1,
      ingress: { class: 'envoy', host: 'web.east.example.org', tls: true },
    })
  })

  test('by name, without rendering what is not needed for it', async () => {
    const more = ['one', 'two', 'three', 'four', 'five', 'six']
    for (const name of more) {
      write(
        `kubernetes/clusters/east/flux/${name}.yaml`,
        readFileSync(join(root, web, 'ks.yaml'), 'utf8').replace('name: web', `name: ${name}`),
      )
      edit('kubernetes/clusters/east/flux/kustomization.yaml', '  - apps.yaml', `  - apps.yaml\n  - ${name}.yaml`)
    }
    const found = await releases(root, 'east', { kustomize }, ['cert-manager/cert-manager'])
    expect(found.map(({ name }) => name)).toEqual(['cert-manager'])
    expect(builds.length).toBeLessThan(5 + more.length)
  })

  test('a name that is not there', async () => {
    await expect(releases(root, 'east', { kustomize }, ['web/gone'])).rejects.toThrow(UsageError)
  })

  test('of a cluster that cannot be rendered: every reason, not a partial list', async () => {
    edit(ks, 'cert-manager/app', 'cert-manager/gone')
    edit(`${web}/app/kustomization.yaml`, 'base/web', 'base/gone')
    const error = (await releases(root, 'east', { kustomize }).catch((thrown: unknown) => thrown)) as ConfigError
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.problems).toHaveLength(2)
  })
})
