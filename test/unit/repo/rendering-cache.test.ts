import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { renderingCache } from '../../../src/lib/repo/rendering-cache.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-rendering-'))
  mkdirSync(join(root, 'kubernetes/apps'), { recursive: true })
  writeFileSync(join(root, 'kubernetes/apps/a.yaml'), 'a: 1\n')
})
afterEach(() => rmSync(root, { recursive: true }))

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

test('half a file, or a repository that can not be written to, is only slower', () => {
  cache().write({ names: ['a'] })
  writeFileSync(join(root, '.k8sops/cache/made-test.json'), '{"key":')
  expect(cache().read()).toBeUndefined()
  rmSync(join(root, '.k8sops'), { recursive: true })
  writeFileSync(join(root, '.k8sops'), 'no directory')
  cache().write({ names: ['a'] })
  expect(cache().read()).toBeUndefined()
})
