/** `k8sops init`: an empty directory, answers, and a repository that is sound as it is written and can be worked on like this one. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

const scratch = mkdtempSync(join(tmpdir(), 'k8sops-init-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const identity = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@b.c',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@b.c',
}
Object.assign(process.env, identity)

/** @param typed lines on a terminal */
const k8sops = (cwd: string, args: string[], typed?: string[]) =>
  runCli(args, {
    entries: commands,
    topics,
    cwd,
    services: createServices(join(projectRoot, 'bin')),
    env: { ...process.env, ...offline, GITHUB_ACTIONS: '', CI: '' },
    ...(typed ? { answer: typed.join('\n') } : {}),
  })

const answers = {
  name: 'home',
  cidr: '192.168.10.0/24',
  pods: '10.42.0.0/16',
  services: '10.43.0.0/16',
  lbPool: '192.168.11.0/24',
  vlan: 10,
  domain: 'home.example.org',
  asn: 64_600,
  git: 'ssh://git@github.com/acme/clusters.git',
  recipient: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
}
const answersFile = (more: Record<string, unknown> = {}) => {
  const file = join(scratch, 'answers.yaml')
  const lines = Object.entries({ ...answers, ...more }).filter(([, value]) => value !== undefined)
  writeFileSync(file, lines.map(([key, value]) => `${key}: ${String(value)}\n`).join(''))
  return file
}
const filesIn = (root: string) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
    .filter((file) => !file.startsWith('.git/'))

interface Report {
  findings: number
  items: { severity: string; rule: string; file: string; message: string }[]
}
const findings = async (root: string) => {
  const { stdout } = await k8sops(root, ['validate', '-o', 'json'])
  return (JSON.parse(stdout) as Report).items.filter(({ severity }) => severity === 'finding')
}

describe('a new repository', () => {
  const root = join(scratch, 'clusters')
  beforeAll(async () => {
    const made = await k8sops(scratch, ['init', 'clusters', '--answers', answersFile(), '--commit', '-o', 'json'])
    expect(made, made.stderr).toMatchObject({ code: 0 })
    expect(JSON.parse(made.stdout)).toMatchObject({ kind: 'RepositoryFiles', cluster: 'home', committed: true })
    expect(made.stderr).toContain('k8sops bootstrap --cluster home --lab')
  })

  test('is committed as a whole, is sound, and has a plan', async () => {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' })
    expect(git('status', '--porcelain')).toBe('')
    expect(git('log', '--format=%s')).toMatch(/^Begin with cluster home, as k8sops .+ wrote it\n$/)
    expect(await findings(root)).toEqual([])
    const plan = await k8sops(root, ['bootstrap', '--dry-run', '-o', 'json'])
    expect(JSON.parse(plan.stdout), plan.stderr).toMatchObject({ kind: 'Plan', cluster: 'home' })
  })

  test('holds nothing of the clusters that it was made beside, and of the program a line', () => {
    const files = filesIn(root)
    const foreign = files.filter((file) => /monosense|arsipq/i.test(readFileSync(join(root, file), 'utf8')))
    // The image comes from where the program does, and patterns.md tells of namespaces that others have.
    expect(foreign.sort()).toEqual(['README.md', 'docs/patterns.md', 'kubernetes/clusters/home/cluster-settings.yaml'])
    expect(readdirSync(root).filter((name) => ['src', 'test', 'lab', 'tools', 'bin'].includes(name))).toEqual([])
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string }
    expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).toEqual({
      name: 'home-clusters',
      private: true,
      devDependencies: { k8sops: version },
    })
    expect(readFileSync(join(root, '.sops.yaml'), 'utf8').match(/age1\w+/g)).toEqual([
      answers.recipient,
      answers.recipient,
    ])
    for (const file of ['Taskfile.yaml', '.github/actions/k8sops/action.yaml']) {
      expect(readFileSync(join(root, file), 'utf8')).toContain('npx k8sops')
      expect(readFileSync(join(root, file), 'utf8')).not.toContain('bin/k8sops.js')
    }
  })

  test('has a runbook behind each link of its tables', () => {
    const table = readFileSync(join(root, 'docs/runbooks/README.md'), 'utf8')
    const linked = [...table.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, file = '']) => file)
    const there = readdirSync(join(root, 'docs/runbooks'))
    expect(linked.length).toBeGreaterThan(40)
    expect(linked.filter((file) => !there.includes(file))).toEqual([])
  })

  test('takes another cluster and an application, and is sound again', async () => {
    const networks = [
      '--cidr',
      '192.168.20.0/24',
      '--pods',
      '10.44.0.0/16',
      '--services',
      '10.45.0.0/16',
      '--lb-pool',
      '192.168.21.0/24',
    ]
    const others = ['--vlan', '20', '--domain', 'second.example.org', '--asn', '64601', '--follows', 'release']
    const cluster = await k8sops(root, ['cluster', 'new', 'second', ...networks, ...others])
    expect(cluster, cluster.stderr).toMatchObject({ code: 0 })
    const wiki = [
      '--namespace',
      'business',
      '--image',
      'ghcr.io/acme/wiki:1.2.3',
      '--port',
      '8080',
      '--host',
      'wiki',
      '--volume',
      '5Gi',
    ]
    const app = await k8sops(root, ['app', 'new', 'wiki', '--cluster', 'home', ...wiki])
    expect(app, app.stderr).toMatchObject({ code: 0 })
    expect(await findings(root)).toEqual([])
  })
})

describe('what is refused', () => {
  test('a directory with something in it', async () => {
    mkdirSync(join(scratch, 'full'))
    writeFileSync(join(scratch, 'full/notes.txt'), 'mine')
    const refused = await k8sops(scratch, ['init', 'full', '--answers', answersFile()])
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('full is not empty: notes.txt') })
    expect(filesIn(join(scratch, 'full'))).toEqual(['notes.txt'])
  })

  test('answers with something wrong in them, each at its line, and nothing is made', async () => {
    const file = answersFile({
      pods: '192.168.10.0/23',
      git: 'acme/clusters',
      recipient: 'age1short',
      from: 'infra',
      asn: undefined,
    })
    const refused = await k8sops(scratch, ['init', 'wrong', '--answers', file, '-o', 'json'])
    const { problems } = JSON.parse(refused.stderr.trim().split('\n').at(-1) ?? '') as {
      problems: { line: number; message: string }[]
    }
    expect(problems.map(({ line, message }) => `${line}: ${message}`)).toEqual([
      '1: asn: is missing',
      `3: pods: 192.168.10.0/23 has room for 2 nodes of 6: each takes a /24`,
      '8: git: must be an address like ssh://git@github.com/acme/clusters.git',
      '9: recipient: must be the public half of an age key, age1...',
      '10: from: unknown key',
    ])
    expect(refused.code).toBe(2)
    expect(readdirSync(scratch)).not.toContain('wrong')
  })

  test('networks that overlap, as the rules of the repository to be have it', async () => {
    const refused = await k8sops(scratch, ['init', 'wrong', '--answers', answersFile({ services: '10.42.128.0/17' })])
    expect(refused.stderr).toMatch(
      /answers.yaml:4: services: 10.42.128.0\/17 overlaps POD_CIDR 10.42.0.0\/16 .*answers.yaml:3/,
    )
    expect(readdirSync(scratch)).not.toContain('wrong')
  })
})

test('on a terminal what is missing is asked for, and the commit is offered; a name may be that of the example', async () => {
  const root = join(scratch, 'asked')
  mkdirSync(dirname(root), { recursive: true })
  const typed = ['infra', '64700', 'ssh://git@github.com/acme/clusters.git', 'n']
  const file = answersFile({ name: undefined, asn: undefined, git: undefined })
  const made = await k8sops(scratch, ['init', 'asked', '--answers', file], typed)
  expect(made, made.stderr).toMatchObject({ code: 0 })
  expect(made.stderr).toContain('git, where the repository is to live')
  expect(made.stderr).toContain('and commit? [Y/n]')
  expect(readdirSync(root)).not.toContain('.git')
  mkdirSync(join(root, '.git'))
  expect(await findings(root)).toEqual([])
})
