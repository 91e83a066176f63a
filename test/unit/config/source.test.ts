import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { computeBasis, digest } from '../../../src/lib/config/basis.ts'
import { headCommit } from '../../../src/lib/config/head.ts'
import { clusterPaths, type Git, observeSource, requireSource, sourceFact } from '../../../src/lib/config/source.ts'
import { GateError, UsageError } from '../../../src/lib/errors.ts'

let root: string
let git: Git
/** Nothing of this machine's own git configuration. */
const env = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
}
const author = ['-c', 'user.name=t', '-c', 'user.email=t@example.org']

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-source-'))
  cpSync(join(import.meta.dirname, '../../fixtures/config/valid'), root, { recursive: true })
  git = (args) =>
    new Promise((resolve) => {
      execFile('git', args, { cwd: root, env }, (error, stdout, stderr) => {
        resolve({ exitCode: error ? ((error.code as number) ?? null) : 0, stdout, stderr })
      })
    })
})
afterEach(() => rmSync(root, { recursive: true }))

async function initialised(): Promise<void> {
  await git(['init', '-q', '-b', 'main'])
  await commit('first')
  await git(['branch', 'release'])
}

async function commit(message: string): Promise<string> {
  await git(['add', '-A'])
  await git([...author, 'commit', '-q', '-m', message])
  return (await git(['rev-parse', 'HEAD'])).stdout.trim()
}

const request = (more: object = {}) => ({ follows: 'main', paths: clusterPaths('east'), ...more })
const change = (file: string, text = 'changed\n') => writeFileSync(join(root, file), text)

test('a clean tree at the followed commit passes', async () => {
  await initialised()
  const source = await observeSource(git, request())
  expect(source).toMatchObject({ state: 'known', ref: 'main', differing: [] })
  expect(() => requireSource(source)).not.toThrow()
})

test('changed, staged, new and deleted files are named, those of others are not', async () => {
  await initialised()
  change('talos/east/patches/machine.yaml')
  change('talos/east/patches/new.yaml')
  change('k8sops.yaml')
  await git(['add', 'k8sops.yaml'])
  rmSync(join(root, 'kubernetes/clusters/east/cluster-settings.yaml'))
  change('talos/west/talconfig.yaml')
  change('README.md')
  const source = await observeSource(git, request())
  expect(source).toMatchObject({
    differing: [
      'k8sops.yaml',
      'kubernetes/clusters/east/cluster-settings.yaml',
      'talos/east/patches/machine.yaml',
      'talos/east/patches/new.yaml',
    ],
  })
  expect(() => requireSource(source)).toThrow(GateError)
  expect(() => requireSource(source)).toThrow('differs from main')
})

test('a cluster that follows release differs when main went on', async () => {
  await initialised()
  change('talos/east/patches/machine.yaml')
  await commit('second')
  expect(await observeSource(git, request())).toMatchObject({ differing: [] })
  const release = await observeSource(git, request({ follows: 'release' }))
  expect(release).toMatchObject({ ref: 'release', differing: ['talos/east/patches/machine.yaml'] })
})

test('the remote’s branch is what Flux pulls: a commit that is not pushed differs', async () => {
  await initialised()
  const pushed = (await git(['rev-parse', 'HEAD'])).stdout.trim()
  await git(['update-ref', 'refs/remotes/origin/main', pushed])
  change('talos/east/patches/machine.yaml')
  await commit('not pushed')
  const source = await observeSource(git, request())
  expect(source).toMatchObject({ ref: 'origin/main', commit: pushed, differing: ['talos/east/patches/machine.yaml'] })
})

test('--ref compares with that commit; one that is not there is refused', async () => {
  await initialised()
  change('talos/east/patches/machine.yaml')
  const head = await commit('second')
  expect(await observeSource(git, request({ follows: 'release', ref: head }))).toMatchObject({
    commit: head,
    differing: [],
  })
  await expect(observeSource(git, request({ ref: 'nowhere' }))).rejects.toThrow(UsageError)
})

test('--worktree takes the tree as it is, with a reason only', async () => {
  await initialised()
  change('k8sops.yaml')
  const source = await observeSource(git, request({ worktree: { reason: 'trying a patch' } }))
  expect(source).toMatchObject({ worktreeReason: 'trying a patch', differing: ['k8sops.yaml'] })
  expect(() => requireSource(source)).not.toThrow()
  await expect(observeSource(git, request({ worktree: { reason: ' ' } }))).rejects.toThrow('--worktree needs --reason')
})

test('without git, or without the branch, it is unknown: previewed as such, refused by a run', async () => {
  const source = await observeSource(git, request())
  expect(source).toEqual({ state: 'unknown', reason: 'the repository is not in git' })
  expect(sourceFact(source)).toBe('unknown')
  expect(() => requireSource(source)).toThrow(GateError)
  await initialised()
  expect(await observeSource(git, request({ follows: 'gone' }))).toMatchObject({ state: 'unknown' })
})

test('--worktree needs no branch to compare with, and the plan says why it has none', async () => {
  const worktree = { reason: 'there is no release yet' }
  const outside = await observeSource(git, request({ worktree }))
  expect(() => requireSource(outside)).not.toThrow()
  await initialised()
  const source = await observeSource(git, request({ follows: 'gone', worktree }))
  expect(() => requireSource(source)).not.toThrow()
  expect(sourceFact(source)).toEqual({
    state: 'unknown',
    reason: 'git has no branch gone',
    worktreeReason: 'there is no release yet',
  })
})

test('a repository below a larger one names its files from its own root', async () => {
  const outer = mkdtempSync(join(tmpdir(), 'k8sops-outer-'))
  cpSync(root, join(outer, 'ops'), { recursive: true })
  rmSync(root, { recursive: true })
  root = outer
  await initialised()
  root = join(outer, 'ops')
  change('k8sops.yaml')
  expect(await observeSource(git, request())).toMatchObject({ differing: ['k8sops.yaml'] })
  root = outer
})

test('the basis is the same for the same files, and moves with a used file, a path or a tool', async () => {
  const basis = { root, paths: clusterPaths('east'), tools: { talosctl: '1.12.11' } }
  const first = await digest(basis)
  expect(first).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect(await digest(basis)).toBe(first)
  expect(await digest({ ...basis, tools: { talosctl: '1.12.12' } })).not.toBe(first)
  change('talos/west/talconfig.yaml')
  expect(await digest(basis)).toBe(first)
  change('talos/east/talconfig.yaml')
  expect(await digest(basis)).not.toBe(first)
})

test('the basis has HEAD’s commit, unknown without git', async () => {
  const basis = { root, paths: [], tools: {} }
  expect((await computeBasis(git, basis)).commit).toBe('unknown')
  await git(['init', '-q', '-b', 'main'])
  expect((await computeBasis(git, basis)).commit).toBe('unknown')
  const first = await commit('first')
  expect((await computeBasis(git, basis)).commit).toBe(first)
})

test('HEAD’s commit is what git says it is: on a branch, packed, of another name, detached, in a worktree and below a root', async () => {
  await initialised()
  const said = async () => (await git(['rev-parse', 'HEAD'])).stdout.trim()
  const asked: string[][] = []
  const counting: Git = (args) => {
    asked.push(args)
    return git(args)
  }
  const same = async (at = root) => expect(await headCommit(counting, at)).toBe(await said())
  await same()
  await git(['checkout', '-q', '--detach'])
  await same()
  const beside = join(root, '../', `${basename(root)}-beside`)
  await git(['worktree', 'add', '-q', '-b', 'beside', beside])
  await same(beside)
  rmSync(beside, { recursive: true })
  // Without a process so far; what follows is asked of git.
  expect(asked).toEqual([])
  await git(['checkout', '-q', 'release'])
  await git(['pack-refs', '--all'])
  await same()
  await git(['symbolic-ref', 'refs/heads/alias', 'refs/heads/main'])
  await git(['symbolic-ref', 'HEAD', 'refs/heads/alias'])
  await same()
  await same(join(root, 'talos'))
  expect(asked).toHaveLength(3)
})
