/**
 * The program as others install it: `npm run package` makes a tarball, and what it holds works outside this repository, down
 * to a lab. Here with this repository's dependencies beside it; with K8SOPS_TEST_FULL=1 `npm install` gets its own.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repositoryRoot } from '../../helpers/lab.ts'

const full = process.env.K8SOPS_TEST_FULL === '1'
const prefix = mkdtempSync(join(tmpdir(), 'k8sops-package-'))
const env = { ...process.env, XDG_STATE_HOME: join(prefix, 'state') }
afterAll(() => rmSync(prefix, { recursive: true }))

let tarball: string
beforeAll(() => {
  execFileSync(process.execPath, ['tools/package.ts'], { cwd: repositoryRoot })
  const dist = join(repositoryRoot, 'dist')
  tarball = join(dist, readdirSync(dist).find((name) => name.endsWith('.tgz'))!)
  const modules = join(prefix, 'node_modules')
  if (full) {
    writeFileSync(join(prefix, 'package.json'), '{"private": true}')
    execFileSync('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: prefix })
    return
  }
  mkdirSync(join(modules, 'k8sops'), { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'k8sops')])
  for (const name of readdirSync(join(repositoryRoot, 'node_modules')).filter((name) => !name.startsWith('.')))
    symlinkSync(join(repositoryRoot, 'node_modules', name), join(modules, name))
})

const k8sops = (...args: string[]) => {
  const program = join(prefix, 'node_modules/k8sops/bin/k8sops.js')
  return execFileSync(process.execPath, [program, ...args], { cwd: prefix, env, encoding: 'utf8', maxBuffer: 2 ** 26 })
}

test('it is small, and holds nothing of the repository that it was made in', () => {
  expect(statSync(tarball).size).toBeLessThan(5 * 2 ** 20)
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n')
  const parts = new Set(files.map((file) => file.split('/')[1]))
  expect([...parts].sort()).toEqual(['README.md', 'bin', 'lab', 'package.json', 'src', 'tools'])
  expect(files.filter((file) => /\.ts$/.test(file))).toEqual([])
})

test('it answers, reads a repository, and plans for it', () => {
  expect(k8sops('--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(k8sops('app', 'list', '--repo', repositoryRoot)).toContain('n8n')
  const plan = JSON.parse(k8sops('bootstrap', '--cluster', 'apps', '--repo', repositoryRoot, '--dry-run', '-o', 'json'))
  expect(plan).toMatchObject({ kind: 'Plan', operation: 'bootstrap' })
})

test('its lab comes up and goes away', () => {
  const lab = ['--cluster', 'apps', '--lab-name', 'packaged']
  k8sops('lab', 'up', ...lab, '--repo', repositoryRoot)
  try {
    expect(JSON.parse(k8sops('lab', 'status', ...lab, '-o', 'json'))).toMatchObject({ kind: 'LabList' })
  } finally {
    k8sops('lab', 'down', ...lab)
  }
})
