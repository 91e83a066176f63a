import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadRepository, openRepository } from '../../../src/lib/config/load.ts'
import { judges } from '../../../src/lib/config/remembered.ts'

const top = join(import.meta.dirname, '../../..')
let root: string
let cache: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-remembered-'))
  cache = mkdtempSync(join(tmpdir(), 'k8sops-cache-'))
  cpSync(join(top, 'test/fixtures/config/valid'), root, { recursive: true })
  vi.stubEnv('K8SOPS_CACHE', cache)
})
afterEach(() => {
  vi.unstubAllEnvs()
  for (const directory of [root, cache]) rmSync(directory, { recursive: true })
})

const entries = () => (readdirSync(cache).length === 0 ? [] : readdirSync(join(cache, 'repositories')))
const entryFile = () => join(cache, 'repositories', entries().find((name) => name.endsWith('-checked.json')) ?? '')
/** Marks what is remembered, so that it shows whether an answer is that. */
function mark(): void {
  const entry = JSON.parse(readFileSync(entryFile(), 'utf8'))
  writeFileSync(entryFile(), JSON.stringify({ ...entry, repository: { ...entry.repository, ageKey: 'remembered' } }))
}
const isRemembered = async () => (await openRepository(root)).ageKey === 'remembered'
const edit = (file: string, from: string, to: string) =>
  writeFileSync(join(root, file), readFileSync(join(root, file), 'utf8').replace(from, to))

test('what is remembered equals what is read, of this repository too', async () => {
  for (const path of [root, top]) {
    const read = await openRepository(path)
    expect(await openRepository(path)).toEqual(read)
    const loaded = await loadRepository(path)
    expect(await loadRepository(path)).toEqual(loaded)
  }
  expect(entries()).toHaveLength(4)
})

test('a repository with problems is never remembered', async () => {
  edit('talos/east/talconfig.yaml', 'v1.12.11', 'v1.9.0')
  expect((await openRepository(root)).problems).not.toEqual([])
  expect(entries()).toEqual([])
})

test('every file that it was made of has to be as it was', async () => {
  const files = globSync(['k8sops.yaml', 'talos/*/talconfig.yaml', 'kubernetes/clusters/*/cluster-settings.yaml'], {
    cwd: root,
  })
  expect(files).toHaveLength(5)
  for (const file of files) {
    rmSync(join(cache, 'repositories'), { recursive: true, force: true })
    await openRepository(root)
    mark()
    expect(await isRemembered()).toBe(true)
    const before = readFileSync(join(root, file), 'utf8')
    writeFileSync(join(root, file), `${before}# one comment more\n`)
    expect(await isRemembered(), file).toBe(false)
    writeFileSync(join(root, file), before)
  }
})

test('a directory of a cluster more, or a patch less, is seen', async () => {
  await openRepository(root)
  mark()
  mkdirSync(join(root, 'kubernetes/clusters/north'))
  const more = await openRepository(root)
  expect(more.problems.map(({ message }) => message).join()).toContain('north')
  rmSync(join(root, 'kubernetes/clusters/north'), { recursive: true })
  expect(await isRemembered()).toBe(true)
  const [patch = ''] = globSync('talos/*/patches/*.yaml', { cwd: root })
  rmSync(join(root, patch))
  const less = await openRepository(root)
  expect(less.problems.map(({ message }) => message).join()).toMatch(/is missing/)
})

test('an entry that is broken, of another program or of another place is none', async () => {
  for (const spoil of [
    () => '{"program":',
    (entry: object) => JSON.stringify({ ...entry, program: 'another' }),
    (entry: object) => JSON.stringify({ ...entry, root: '/elsewhere' }),
  ]) {
    await openRepository(root)
    mark()
    writeFileSync(entryFile(), spoil(JSON.parse(readFileSync(entryFile(), 'utf8'))))
    expect(await isRemembered()).toBe(false)
    expect(await isRemembered()).toBe(false)
  }
})

test('a home that can not be written to is no hindrance', async () => {
  writeFileSync(join(cache, 'file'), '')
  vi.stubEnv('K8SOPS_CACHE', join(cache, 'file'))
  expect((await openRepository(root)).problems).toEqual([])
})

test('of many roots the newest twenty are kept', async () => {
  for (let index = 0; index < 22; index++) {
    const copy = join(root, `copy-${index}`)
    cpSync(join(top, 'test/fixtures/config/valid'), copy, { recursive: true })
    await openRepository(copy)
  }
  expect(entries()).toHaveLength(20)
})

test('whatever reads or judges a repository is part of the identity of what came of it', () => {
  const seen = new Set<string>()
  const follow = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(join(top, file), 'utf8')
    for (const [, from, lazily] of text.matchAll(
      /^\s*(?:import|export)\s+(?!type\b)(?!\{(?:\s*type\s+\w+,?)+\s*\})[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gm,
    )) {
      const name = from ?? lazily ?? ''
      if (name.startsWith('.')) follow(relative(top, join(top, dirname(file), name)))
    }
  }
  for (const start of ['files.ts', 'rules/index.ts']) follow(`src/lib/config/${start}`)
  const isOf = (judge: string) => (file: string) => file === judge || file.startsWith(`${judge}/`)
  expect([...seen].filter((file) => !judges.some((judge) => isOf(judge)(file)))).toEqual([])
  expect(judges.filter((judge) => ![...seen].some(isOf(judge)))).toEqual([])
})
