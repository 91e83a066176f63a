import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { renderingCache } from '../../../src/lib/repo/rendering-cache.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-rendering-'))
  vi.stubEnv('K8SOPS_CACHE', join(root, 'cache'))
  mkdirSync(join(root, 'kubernetes/apps'), { recursive: true })
  writeFileSync(join(root, 'kubernetes/apps/a.yaml'), 'a: 1\n')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

const cache = (tools = ['/tools/kustomize-1'], directories = ['kubernetes', 'bootstrap']) =>
  renderingCache<{ names: string[] }>(root, 'made-test', tools, directories)

test('what was remembered is valid for exactly the files and tools that it was made from', () => {
  expect(cache().read()).toBeUndefined()
  cache().write({ names: ['a'] })
  expect(cache().read()).toEqual({ names: ['a'] })
  expect(cache(['/tools/kustomize-2']).read()).toBeUndefined()

  const file = join(root, 'kubernetes/apps/a.yaml')
  const before = readFileSync(file)
  writeFileSync(file, 'a: 2\n')
  expect(cache().read()).toBeUndefined()
  writeFileSync(file, before)
  expect(cache().read()).toEqual({ names: ['a'] })
  mkdirSync(join(root, 'bootstrap'))
  writeFileSync(join(root, 'bootstrap/new.yaml'), '')
  expect(cache().read()).toBeUndefined()
})

test('another place with the same files has the same', () => {
  cache().write({ names: ['a'] })
  const copy = join(root, 'copy')
  mkdirSync(join(copy, 'kubernetes/apps'), { recursive: true })
  writeFileSync(join(copy, 'kubernetes/apps/a.yaml'), 'a: 1\n')
  expect(renderingCache(copy, 'made-test', ['/tools/kustomize-1'], ['kubernetes', 'bootstrap']).read()).toEqual({
    names: ['a'],
  })
})

test('the newest sixty are kept', () => {
  const renderings = join(root, 'cache/renderings')
  for (let index = 0; index < 65; index++) cache([`/tools/kustomize-${index}`]).write({ names: [] })
  expect(readdirSync(renderings)).toHaveLength(60)
  expect(cache(['/tools/kustomize-64']).read()).toEqual({ names: [] })
})

test('half a file, or a cache that can not be written to, is only slower', () => {
  cache().write({ names: ['a'] })
  const [name = ''] = readdirSync(join(root, 'cache/renderings'))
  writeFileSync(join(root, 'cache/renderings', name), '{"names":')
  expect(cache().read()).toBeUndefined()
  rmSync(join(root, 'cache'), { recursive: true })
  writeFileSync(join(root, 'cache'), 'no directory')
  cache().write({ names: ['a'] })
  expect(cache().read()).toBeUndefined()
})
