/** What `rollout status` says that a waiting commit changes on the clusters behind: rendered once, then remembered. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { changesOf, changesText } from '../../src/commands/rollout/changes.ts'
import type { OpenedRollout } from '../../src/commands/rollout/opened.ts'
import type { CommandContext } from '../../src/lib/cli/define.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

let root: string
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    cwd: root,
    encoding: 'utf8',
  }).trim()
const commit = (file: string, text: string) => {
  writeFileSync(join(root, file), text)
  git('add', '--all')
  git('commit', '-qm', file)
  return git('rev-parse', 'HEAD')
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-changes-'))
  cpSync(join(projectRoot, 'test/fixtures/repo'), root, { recursive: true })
  git('init', '-q', '-b', 'main')
  commit('.gitignore', '.k8sops/\n')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('objects of the clusters behind, and nothing for what no rendering reads', async () => {
  const target = { root, stateDir: join(root, '.k8sops') }
  const at = { first: { target }, clusters: { later: [{ name: 'east' }] } } as unknown as OpenedRollout
  const context = {
    env: { ...process.env, ...offline },
    signal: new AbortController().signal,
  } as unknown as CommandContext
  const idle = commit('README.md', 'read me\n')
  expect(changesText(await changesOf(context, at, idle))).toBe('nothing')
  expect(readdirSync(root)).not.toContain('.k8sops')

  const app = 'kubernetes/clusters/east/apps/web/app'
  const changed = commit(`${app}/kustomization.yaml`, 'resources: [settings.yaml]\n')
  writeFileSync(
    join(root, app, 'settings.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n',
  )
  git('add', '--all')
  git('commit', '-q', '--amend', '--no-edit')
  const sha = git('rev-parse', 'HEAD')
  expect(sha).not.toBe(changed)
  const [east] = await changesOf(context, at, sha)
  expect(east).toMatchObject({ cluster: 'east', added: 1 })
  expect(changesText(east ? [east] : [])).toMatch(/object/)
  expect(readdirSync(join(root, '.k8sops/rollout-changes'))).toEqual([`${sha}.json`])
  expect(await changesOf(context, at, sha)).toEqual([east])
}, 240_000)
