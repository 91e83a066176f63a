/**
 * The program as others install it: `npm run package` makes a tarball, and what it holds works outside this repository, down
 * to a lab. Here with this repository's dependencies beside it; with K8SOPS_TEST_FULL=1 `npm install` gets its own.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installPackage, makePackage } from '../../helpers/install-package.ts'
import { repositoryRoot } from '../../helpers/lab.ts'
import { answers } from '../../helpers/newcomer.ts'
import { proof } from '../../helpers/proof.ts'
import { full } from '../../helpers/seed.ts'

const prefix = mkdtempSync(join(tmpdir(), 'k8sops-package-'))
const git = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@b.c', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@b.c' }
const env = { ...process.env, ...git, XDG_STATE_HOME: join(prefix, 'state') }
afterAll(() => rmSync(prefix, { recursive: true }))

let tarball: string
beforeAll(() => {
  tarball = makePackage()
  if (!full) return void installPackage(tarball, prefix)
  writeFileSync(join(prefix, 'package.json'), '{"private": true}')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: prefix })
})

const k8sops = (...args: string[]) => {
  const program = join(prefix, 'node_modules/k8sops/bin/k8sops.js')
  return execFileSync(process.execPath, [program, ...args], { cwd: prefix, env, encoding: 'utf8', maxBuffer: 2 ** 26 })
}

test('it is small, and holds nothing of the clusters that it was made beside but the example for a new one', () => {
  expect(statSync(tarball).size).toBeLessThan(5 * 2 ** 20)
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n')
  const parts = new Set(files.map((file) => file.split('/')[1]))
  for (const part of ['README.md', 'bin', 'bundle', 'lab', 'package.json', 'src', 'template', 'tools'])
    expect(parts).toContain(part)
  for (const part of ['test', 'bench', 'terraform', 'Containerfile']) expect(parts).not.toContain(part)
  expect(
    files.filter(
      (file) => /clusters\/(?!infra)|talos\/(?!infra|patches)|\w\.sops\.yaml$/.test(file) && !file.includes('/src/'),
    ),
  ).toEqual([])
  expect(files.filter((file) => /\.ts$/.test(file))).toEqual([])
})

test('each file of its bundle finds what it requires', () => {
  const bundle = join(prefix, 'node_modules/k8sops/bundle')
  const load = `for (const name of fs.readdirSync('.')) require('./' + name)`
  // One of them is the program.
  execFileSync(process.execPath, ['--eval', load, 'k8sops', '--help'], { cwd: bundle, env })
  expect(readdirSync(bundle)).toContain('main.cjs')
})

test('it answers, reads a repository, and plans for it', () => {
  expect(k8sops('--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  // By the name that bootstrap/helmfile.d calls.
  const named = join(prefix, 'node_modules/k8sops/bin/k8sops')
  expect(execFileSync(named, ['--version'], { env, encoding: 'utf8' })).toBe(k8sops('--version'))
  expect(k8sops('app', 'list', '--repo', repositoryRoot)).toContain('n8n')
  const plan = JSON.parse(k8sops('bootstrap', '--cluster', 'apps', '--repo', repositoryRoot, '--dry-run', '-o', 'json'))
  expect(plan).toMatchObject({ kind: 'Plan', operation: 'bootstrap' })
})

describe('a newcomer with an empty directory', () => {
  const clusters = join(prefix, 'clusters')

  test('has a repository that is sound, and a plan', () => {
    k8sops('init', clusters, ...answers(tarball), '--commit')
    const { findings } = JSON.parse(k8sops('validate', '--repo', clusters, '-o', 'json')) as { findings: number }
    expect(findings).toBe(0)
    expect(JSON.parse(k8sops('bootstrap', '--repo', clusters, '--dry-run', '-o', 'json'))).toMatchObject({
      cluster: 'home',
    })
  })

  proof('has it Ready in the lab', async () => {
    const lab = ['--cluster', 'home', '--lab-name', 'newcomer']
    try {
      k8sops('lab', 'up', ...lab, '--repo', clusters)
      const run = JSON.parse(k8sops('bootstrap', ...lab, '--lab', '--yes', '--repo', clusters, '-o', 'json'))
      expect(run).toMatchObject({ outcome: 'succeeded' })
    } finally {
      k8sops('lab', 'down', ...lab)
    }
  })
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
