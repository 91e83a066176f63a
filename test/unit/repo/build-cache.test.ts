import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { filesByPath, readSourceFiles } from '../../../src/lib/repo/source-files.ts'

let root: string
let runs: number
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-builds-'))
  vi.stubEnv('K8SOPS_CACHE', join(root, 'cache'))
  mkdirSync(join(root, 'kubernetes/app'), { recursive: true })
  write('kustomization.yaml', 'resources:\n  - a.yaml\n')
  write('a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n')
  runs = 0
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

const write = (name: string, text: string) => writeFileSync(join(root, 'kubernetes/app', name), text)

/** As a process of its own would ask: nothing that another is building counts. */
async function build(tool = '/tools/kustomize-1', spec: object = {}): Promise<string[]> {
  vi.resetModules()
  const { rememberingBuild } = await import('../../../src/lib/repo/build-cache.ts')
  const manifests = await rememberingBuild(tool, filesByPath(readSourceFiles(root)))(
    root,
    { path: 'kubernetes/app', ...spec },
    async () => {
      runs += 1
      return 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n'
    },
  )
  return manifests.map(({ kind, object }) => `${kind} ${object().metadata.name}`)
}

test('what was built is remembered for exactly the files, the spec and the tool that it was built of', async () => {
  expect(await build()).toEqual(['ConfigMap a'])
  expect(await build()).toEqual(['ConfigMap a'])
  expect(runs).toBe(1)
  await build('/tools/kustomize-2')
  await build(undefined, { namePrefix: 'x-' })
  expect(runs).toBe(3)
  write('a.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n')
  await build()
  expect(runs).toBe(4)
  write('kustomization.yaml', 'resources:\n  - a.yaml\n  - b.yaml\n')
  await build()
  write('b.yaml', '{}\n')
  await build()
  expect(runs).toBe(6)
})

test('what comes from elsewhere, or is read by nobody, is built each time', async () => {
  for (const text of ['resources:\n  - https://example.org/a.yaml\n', 'resources:\n  - github.com/example/app\n']) {
    write('kustomization.yaml', text)
    await build()
    await build()
  }
  rmSync(join(root, 'kubernetes/app/kustomization.yaml'))
  await build()
  await build()
  mkdirSync(join(root, 'elsewhere'))
  writeFileSync(join(root, 'elsewhere/a.yaml'), '')
  write('kustomization.yaml', 'resources:\n  - ../../elsewhere/a.yaml\n')
  await build()
  await build()
  expect(runs).toBe(8)
})

test('half an entry is none', async () => {
  await build()
  const directory = join(root, 'cache/builds')
  for (const text of ['[{"te', 'null', '[{"file":"a"}]']) {
    for (const name of readdirSync(directory)) writeFileSync(join(directory, name), text)
    expect(await build()).toEqual(['ConfigMap a'])
  }
  expect(runs).toBe(4)
})
