import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cacheRoot } from '../../src/lib/tools/cache-root.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-commands-'))
  cpSync(join(projectRoot, 'test/fixtures/repo'), root, { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true }))

interface Outcome {
  exitCode: number
  stdout: string
  stderr: string
}

/** The program as an operator starts it, in the repository. */
function k8sops(args: string[], options: { input?: string; env?: Record<string, string> } = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', GITHUB_ACTIONS: '', ...options.env }
    const child = execFile(
      process.execPath,
      [join(projectRoot, 'bin/k8sops.js'), ...args],
      { cwd: root, env },
      (error, stdout, stderr) => {
        resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr })
      },
    )
    child.stdin?.end(options.input ?? '')
  })
}

function edit(file: string, from: string, to: string): void {
  const path = join(root, file)
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
}

const release = 'kubernetes/infrastructure/controllers/cert/cert-manager/app/helmrelease.yaml'

describe('k8sops validate', () => {
  /** flate finds the root by the .git that every checkout has. */
  const validate = async (args: string[], env: Record<string, string> = {}) => {
    mkdirSync(join(root, '.git'), { recursive: true })
    const outcome = await k8sops(['validate', ...args], { env: { ...(offline as Record<string, string>), ...env } })
    return { ...outcome, report: args.includes('json') ? (JSON.parse(outcome.stdout) as Report) : undefined }
  }
  interface Report {
    findings: number
    confirm: number
    coverage: unknown[]
    items: { severity: string; rule: string; file: string; line: number; message: string }[]
  }

  test('lists everything that is wrong, with why and fix, and what was not rendered: exit 3', async () => {
    edit('kubernetes/clusters/east/cluster-settings.yaml', '10.43.0.10', '10.99.0.10 # CONFIRM: the DNS service')
    edit(release, '    replicaCount:', '    replicas: 1\n    replicaCount:')
    const { exitCode, stdout } = await validate([])
    expect(exitCode).toBe(3)
    const lines = stdout.split('\n')
    for (const line of [
      'chart-value-exists: Helm ignores any other without a word',
      '  fix: Look it up in the chart’s values.yaml of that version',
      '  kubernetes/clusters/east/cluster-settings.yaml:14: CLUSTER_DNS_IP: 10.99.0.10 is outside SERVICE_CIDR 10.43.0.0/16',
      `  ${release}:11: HelmRelease cert-manager/cert-manager: chart cert-manager v1.20.2 has no value replicas, helm would ignore it`,
      '1 to be confirmed before a real cluster is written to:',
      '  kubernetes/clusters/east/cluster-settings.yaml:14: the DNS service',
      'cluster east: 5 Kustomizations rendered, 0 of 2 HelmReleases rendered',
    ])
      expect(lines).toContain(line)
    expect(stdout).toMatch(
      /NOT rendered, checked only against what is known of the chart: .*cert-manager\/cert-manager/,
    )
    expect(stdout).not.toContain('built by path')
  })

  test('only what is below the paths; facts to be confirmed are no findings', async () => {
    edit('talos/east/talconfig.yaml', 'talosVersion: v1.12.11', 'talosVersion: v1.12.11 # CONFIRM: newest')
    const { report, exitCode } = await validate(['-o', 'json', 'k8sops.yaml', 'kubernetes/apps/components'])
    expect(report?.items.filter(({ severity }) => severity === 'confirm')).toMatchObject([
      { file: 'talos/east/talconfig.yaml', line: 2, message: 'newest' },
    ])
    const findings = report?.items.filter(({ severity }) => severity === 'finding') ?? []
    expect(new Set(findings.map(({ file }) => file.split('/').slice(0, 3).join('/')))).toEqual(
      new Set(['kubernetes/apps/components']),
    )
    expect(exitCode).toBe(3)
    expect((await validate(['k8sops.yaml'])).exitCode).toBe(0)
  })

  test('a configuration that cannot be read is exit 2, beside the findings of what can', async () => {
    edit('talos/east/talconfig.yaml', 'endpoint:', 'endpoint: [')
    const { exitCode, stdout } = await validate([])
    expect(exitCode).toBe(2)
    expect(stdout).toMatch(/keep the configuration from being read:\n {2}talos\/east\/talconfig\.yaml:\d+: /)
    expect(stdout).toContain('5 Kustomizations rendered')
  })

  test('in GitHub Actions each finding is an annotation at its line, and SARIF has all of them', async () => {
    edit('k8sops.yaml', 'defaultCluster: east', 'defaultCluster: north')
    const sarif = join(root, 'found.sarif')
    const { stderr, report } = await validate(['-o', 'json', '--sarif', sarif], { GITHUB_ACTIONS: 'true' })
    expect(stderr).toMatch(/^::error file=k8sops\.yaml,line=3.*unknown cluster north/m)
    const { runs } = JSON.parse(readFileSync(sarif, 'utf8')) as { runs: { results: { ruleId: string }[] }[] }
    expect(runs[0]?.results).toHaveLength(report?.findings ?? 0)
    expect(runs[0]?.results.map(({ ruleId }) => ruleId)).toContain('facts-agree')
  })

  test('one broken kustomization.yaml hides nothing: the rest is built by path', async () => {
    edit('kubernetes/clusters/east/infrastructure/kustomization.yaml', 'resources:', 'resources: {')
    const { stdout } = await validate([])
    expect(stdout).toMatch(/infrastructure\/kustomization\.yaml:\d+: malformed YAML/)
    expect(stdout).toContain(
      'Kustomization flux-system/infrastructure: kubernetes/clusters/east/infrastructure cannot be built',
    )
    expect(stdout).toContain('built by path')
  })

  test('--changed says only what a change can affect, and renders nothing when there is none', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd: root })
    git('init', '--quiet')
    git('add', '-A')
    git('commit', '--quiet', '-m', 'as it was')
    // The fixture breaks house rules all over: none of that is of this change.
    const changed = ['--changed=HEAD', '-o', 'json']
    expect(await validate(changed)).toMatchObject({ exitCode: 0, report: { findings: 0, coverage: [] } })
    edit(release, '    replicaCount:', '    replicas: 1\n    replicaCount:')
    const { exitCode, report } = await validate(changed)
    expect(exitCode).toBe(3)
    expect(report?.coverage).not.toEqual([])
    const found = report?.items.filter(({ severity }) => severity === 'finding') ?? []
    expect(found.map(({ file }) => file)).toContain(release)
    // The other application waits for it: what it lacks is said, what is wrong with it alone is not.
    const ofOther = found.filter(({ file }) => file.startsWith('kubernetes/apps/')).map(({ rule }) => rule)
    expect(ofOther).toContain('namespace-exists')
    expect(ofOther).not.toContain('schema-comment')
    expect((await validate(['-o', 'json'])).report?.findings).toBeGreaterThan(report?.findings ?? 0)
    expect(await validate(['--changed=nowhere'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('nowhere'),
    })
  })

  test('--server asks one API server, so it has to be named', async () => {
    expect(await validate(['--server', '--cluster', 'all'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('k8sops validate --server --cluster NAME'),
    })
  })

  test('--rules lists them without a repository', async () => {
    const { stdout, exitCode } = await validate(['--rules', '-o', 'name', '--repo', '/nowhere'])
    expect(exitCode).toBe(0)
    expect(stdout.split('\n')).toContain('default-deny')
  })
})

describe('k8sops repo releases', () => {
  test('prints only JSON on stdout', async () => {
    const { exitCode, stdout } = await k8sops(['repo', 'releases', '--cluster', 'east', '-o', 'json'])
    expect(exitCode).toBe(0)
    const { items } = JSON.parse(stdout) as { items: { name: string; values: object }[] }
    expect(items.map(({ name }) => name).toSorted()).toEqual(['cert-manager', 'web'])
  })

  test('remembers what it worked out until a file changes', async () => {
    const args = ['repo', 'releases', '--cluster', 'east', 'cert-manager/cert-manager', '-o', 'json']
    const own = join(root, 'cache')
    mkdirSync(own)
    symlinkSync(join(cacheRoot(), 'tools'), join(own, 'tools'))
    const env = { K8SOPS_CACHE: own }
    await k8sops(['repo', 'releases', '--cluster', 'east', '-o', 'name'], { env })
    const [name = ''] = readdirSync(join(own, 'renderings'))
    expect(name).toMatch(/^releases-east-\w{32}\.json$/)
    const cache = join(own, 'renderings', name)
    const text = readFileSync(cache, 'utf8')
    writeFileSync(cache, text.replace('v1.20.2', 'v9.9.9'))
    expect((await k8sops(args, { env })).stdout).toContain('v9.9.9')
    // Same content, another time: git does that on every checkout, and it changes nothing.
    utimesSync(join(root, release), new Date(), new Date())
    expect((await k8sops(args, { env })).stdout).toContain('v9.9.9')
    edit(release, '--zone=', '--zones=')
    const { stdout } = await k8sops(args, { env })
    expect(stdout).toContain('--zones=east.example.org')
    expect(stdout).not.toContain('v9.9.9')
  })

  test('an unknown release or cluster is a usage error', async () => {
    expect(await k8sops(['repo', 'releases', 'web/gone', '--cluster', 'east'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('no HelmRelease web/gone'),
    })
    expect(await k8sops(['repo', 'releases', '--cluster', 'north'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('unknown cluster north'),
    })
  })
})

test('k8sops repo render prints one Kustomization', async () => {
  const { exitCode, stdout } = await k8sops(['repo', 'render', '--cluster', 'east', 'cert-manager'])
  expect(exitCode).toBe(0)
  expect(stdout).toContain('# Kustomization flux-system/cert-manager (')
  expect(stdout).toContain('--zone=east.example.org')
  expect(stdout).not.toContain('kind: ResourceQuota')
})

test('k8sops yaml select is a filter', async () => {
  const big = `kind: ConfigMap\ndata:\n  a: ${'x'.repeat(200_000)}\n---\nkind: CustomResourceDefinition\n`
  const { exitCode, stdout, stderr } = await k8sops(['yaml', 'select', '--kind', 'CustomResourceDefinition'], {
    input: big.repeat(1),
  })
  expect([exitCode, stdout, stderr]).toEqual([0, '---\nkind: CustomResourceDefinition\n', ''])
  const all = await k8sops(['yaml', 'select', '--kind', 'ConfigMap'], { input: big })
  expect(all.stdout).toHaveLength(200_000 + '---\nkind: ConfigMap\ndata:\n  a: \n'.length)
})
