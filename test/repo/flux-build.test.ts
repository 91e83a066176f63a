import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { nameOf } from '../../src/lib/repo/flux.ts'
import { layout } from '../../src/lib/repo/layout.ts'
import { parseManifest, splitDocuments } from '../../src/lib/repo/manifests.ts'
import { listCluster } from '../../src/lib/repo/part-render.ts'
import { type RenderedKustomization, renderCluster } from '../../src/lib/repo/render.ts'
import { readSourceFiles } from '../../src/lib/repo/source-files.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { generator } from '../helpers/mutations.ts'
import { full } from '../helpers/seed.ts'
import { projectRoot, runTool } from './tool.ts'

const scratch = mkdtempSync(join(tmpdir(), 'k8sops-flux-build-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** flux build works inside the directory it builds, so it gets a copy. */
function copyOf(root: string, copy: string): string {
  cpSync(join(root, layout.kubernetes), join(copy, layout.kubernetes), { recursive: true })
  return copy
}

/** `flux build` knows no cluster, so it is given the variables that we found as inline ones. */
function fluxBuild(
  root: string,
  { kustomization }: RenderedKustomization,
  variables: Record<string, string>,
): KubeObject[] {
  const { namespace, name, raw, spec } = kustomization
  const file = join(scratch, 'ks.yaml')
  const hasVariables = kustomization.substituteFrom.length > 0 || Object.keys(kustomization.substitute).length > 0
  const postBuild = hasVariables ? { postBuild: { substitute: { ...variables, ...kustomization.substitute } } } : {}
  const object = {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace },
    spec: {
      interval: '1h',
      prune: true,
      sourceRef: { kind: 'GitRepository', name: 'flux-system' },
      ...raw,
      postBuild: undefined,
      ...postBuild,
    },
  }
  // flux reads YAML 1.1, where a bare `On` is no text.
  writeFileSync(file, stringify(object, { version: '1.1' }))
  const args = [
    'build',
    'kustomization',
    name,
    '--namespace',
    namespace,
    '--path',
    spec.path,
    '--kustomization-file',
    file,
    '--dry-run',
  ]
  return objects(runTool('flux', args, { cwd: root, env: { HOME: scratch, PATH: '' } }))
}

const owner = ['kustomize.toolkit.fluxcd.io/name', 'kustomize.toolkit.fluxcd.io/namespace']

/** Sorted by name, without the owner labels that Flux adds. */
function objects(stream: string): KubeObject[] {
  return sorted(
    splitDocuments(stream).map((text) => {
      const object = parseManifest(text) as KubeObject
      const labels = Object.entries(object.metadata.labels ?? {}).filter(([key]) => !owner.includes(key))
      delete object.metadata.labels
      if (labels.length > 0) object.metadata.labels = Object.fromEntries(labels)
      return object
    }),
  )
}

const identity = ({ apiVersion, kind, metadata }: KubeObject) =>
  [apiVersion, kind, metadata.namespace, metadata.name].join('/')
const sorted = (list: KubeObject[]) => list.toSorted((a, b) => identity(a).localeCompare(identity(b)))

/** What contains others, and of the rest as many as a seed draws: flux takes half a second for each. All with K8SOPS_TEST_FULL=1. */
async function renderSample(root: string, cluster: string): Promise<RenderedKustomization[]> {
  const kustomize = kustomizeBuild(process.env)
  const files = new Map(readSourceFiles(root).map((file) => [file.path, file]))
  const listed = await listCluster(root, cluster, { kustomize }, files)
  const skipped = listed.filter(({ isSkipped }) => isSkipped).map(({ kustomization }) => nameOf(kustomization))
  const pick = generator(Number(process.env.K8SOPS_TEST_SEED?.replaceAll('-', '') ?? 20261130))
  const drawn = new Set<string>()
  const wanted = full ? skipped.length : Math.min(sample, skipped.length)
  while (drawn.size < wanted) drawn.add(skipped[pick(skipped.length)] as string)
  const known = new Map(listed.map((one) => [nameOf(one.kustomization), one]))
  return renderCluster(root, cluster, {
    kustomize,
    known: (one) => (drawn.has(nameOf(one)) ? undefined : known.get(nameOf(one))),
  })
}

const sample = 12

/** The same fixture, with directories for which Flux has to make a kustomization.yaml. */
function fixtureWithoutKustomizations(): string {
  const root = join(scratch, 'bare')
  cpSync(join(projectRoot, 'test/fixtures/repo'), root, { recursive: true })
  const apps = join(root, layout.cluster('east'), 'apps')
  for (const path of [apps, join(apps, 'web')]) rmSync(join(path, 'kustomization.yaml'))
  return root
}

test.each([
  ['the fixture', join(projectRoot, 'test/fixtures/repo'), 'east'],
  ['the fixture without kustomization.yaml', fixtureWithoutKustomizations(), 'east'],
  ['this repository', projectRoot, 'infra'],
  ['this repository', projectRoot, 'apps'],
])('Kustomizations of %s (%s, %s) are rendered as flux build renders them', async (_, root, cluster) => {
  const rendered = await renderSample(root, cluster)
  const copy = copyOf(root, mkdtempSync(join(scratch, 'copy-')))
  const settings = rendered
    .flatMap(({ manifests }) => manifests.map((one) => one.object()))
    .find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'cluster-settings')
  expect(rendered.length).toBeGreaterThan(3)
  // What another repository contains is not here, for flux neither.
  for (const one of rendered.filter(({ kustomization, isSkipped }) => !kustomization.isForeign && !isSkipped)) {
    expect(one.findings).toEqual([])
    const ours = sorted(one.manifests.map((manifest) => manifest.object()))
    expect(ours, one.kustomization.name).toEqual(fluxBuild(copy, one, settings?.data ?? {}))
  }
})
