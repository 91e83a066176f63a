/** Bad input, and a machine that isn't set up, as an operator meets them: exit 2, all at once, and nothing touched. */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toolNamed } from '../../src/lib/tools/catalog.ts'
import { cachedPath } from '../../src/lib/tools/resolve.ts'
import { projectRoot, runTool, toolPath } from './tool.ts'

const inputs = ['k8sops.yaml', '.sops.yaml', 'talos', 'kubernetes', 'bootstrap', 'lab/charts']
const apps = 'talos/apps/talconfig.yaml'
const infra = 'talos/infra/talconfig.yaml'
const infraSettings = 'kubernetes/clusters/infra/cluster-settings.yaml'
const talsecret = 'talos/apps/talsecret.sops.yaml'
/** Of the chain; `op` and `git` are taken from PATH. */
const pinned = ['talhelper', 'talosctl', 'sops', 'kubectl', 'kustomize', 'helm', 'helmfile']

let base: string
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'k8sops-bad-input-'))
  const root = join(base, 'sound')
  for (const input of inputs) cpSync(join(projectRoot, input), join(root, input), { recursive: true })
  // Every fact is confirmed in this repository: what is wrong with it is what a case broke.
  for (const file of globSync('{talos,kubernetes/clusters}/*/*.yaml', { cwd: root }))
    writeFileSync(join(root, file), readFileSync(join(root, file), 'utf8').replace(/[ \t]*# CONFIRM:.*/g, ''))
  const key = runTool('age-keygen', [])
  writeFileSync(join(base, 'age.key'), key)
  const recipient = /age1\w+/.exec(key)?.[0] ?? expect.unreachable('no recipient')
  const secrets = runTool('talhelper', ['gensecret'])
  mkdirSync(dirname(join(root, talsecret)), { recursive: true })
  const args = ['encrypt', '--age', recipient, '--filename-override', talsecret]
  writeFileSync(join(root, talsecret), runTool('sops', args, { input: secrets, cwd: base }))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** A copy of the sound repository, and an operator's machine beside it on which everything is there. */
class Case {
  readonly root = mkdtempSync(join(base, 'case-'))
  readonly repo = join(this.root, 'repo')
  readonly bin = join(this.root, 'bin')
  readonly cache = join(this.root, 'cache')

  constructor() {
    cpSync(join(base, 'sound'), this.repo, { recursive: true })
    execFileSync('git', ['init', '-q', this.repo])
    mkdirSync(join(this.root, 'home'))
    mkdirSync(join(this.cache, 'tools'), { recursive: true })
    mkdirSync(this.bin)
    for (const name of pinned) {
      const entry = dirname(cachedPath(toolNamed(name), { env: { K8SOPS_CACHE: this.cache } }))
      symlinkSync(dirname(toolPath(name)), entry)
    }
    this.op(`cat ${join(base, 'age.key')}`)
  }

  /** `op` is not part of the tool-chain and needs an account: this one answers for its two questions. */
  op(read: string): void {
    this.stranger('op', `case $1 in whoami) echo '{"email":"op@example.org"}';; read) ${read};; esac`)
  }

  /** A program of the operator's own on PATH. */
  stranger(name: string, script: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }

  without(name: string): void {
    rmSync(dirname(cachedPath(toolNamed(name), { env: { K8SOPS_CACHE: this.cache } })))
  }

  /** Replaces a text that stands there once (behind `after`, if given); returns `file:line` of the place. */
  edit(file: string, from: string, to: string, after = ''): string {
    const path = join(this.repo, file)
    const text = readFileSync(path, 'utf8')
    const at = text.indexOf(from, text.indexOf(after))
    if (at < 0 || text.indexOf(after) < 0) throw new Error(`${file} has no ${from} behind ${after}`)
    writeFileSync(path, text.slice(0, at) + to + text.slice(at + from.length))
    return `${file}:${text.slice(0, at).split('\n').length}`
  }

  async bootstrap(cluster = 'apps'): Promise<{ code: number; stdout: string; stderr: string; touched: string[] }> {
    const before = this.files()
    const env = {
      PATH: `${this.bin}:/usr/bin:/bin`,
      HOME: join(this.root, 'home'),
      K8SOPS_CACHE: this.cache,
      NO_COLOR: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
    }
    const args = [join(projectRoot, 'bin/k8sops.js'), 'bootstrap', '--cluster', cluster, '--yes']
    const outcome = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, args, { cwd: this.repo, env, timeout: 60_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      )
    })
    const after = this.files()
    const touched = [...new Set([...before.keys(), ...after.keys()])].filter(
      (name) => before.get(name) !== after.get(name),
    )
    return { ...outcome, touched }
  }

  /** Content of every file of the repository (runs and locks are in it too) and of the operator's home. */
  files(): Map<string, string> {
    const names = globSync(['repo/**/*', 'repo/.*', 'repo/.k8sops/**/*', 'home/**/*', 'home/.*'], { cwd: this.root })
    const content = (name: string) =>
      createHash('sha256')
        .update(readFileSync(join(this.root, name)))
        .digest('hex')
    return new Map(
      names.filter((name) => statSync(join(this.root, name)).isFile()).map((name) => [name, content(name)]),
    )
  }
}

/** Breaks one thing; returns what must be said about it, beginning with `file:line: ` where it is about a file. */
type Break = (one: Case) => string

const files: Record<string, Break> = {
  'a node in two clusters': (one) => {
    const first = one.edit(infra, 'hostname: infra-w3', 'hostname: both-w3')
    const second = one.edit(apps, 'hostname: apps-w3', 'hostname: both-w3')
    return `${second}: node in two clusters: hostname both-w3 belongs to cluster infra (${first})`
  },
  'an address outside the CIDR': (one) => {
    const place = one.edit(apps, 'ipAddress: 10.25.13.15', 'ipAddress: 10.25.99.15')
    return `${place}: address 10.25.99.15 of apps-w2 is outside NODE_CIDR 10.25.13.0/24`
  },
  'a control plane without the VIP': (one) => {
    one.edit(apps, '\n            vip:\n              ip: 10.25.13.10', '\n\n', 'hostname: apps-cp2')
    return `${one.edit(apps, 'hostname: apps-cp2', 'hostname: apps-cp2')}: control plane apps-cp2 has no VIP`
  },
  'a duplicate hostname': (one) =>
    `${one.edit(infra, 'hostname: infra-w2', 'hostname: infra-w1')}: duplicate hostname infra-w1: also at ${infra}:`,
  'malformed YAML': (one) => `${one.edit(infraSettings, 'CLUSTER_NAME: infra', 'CLUSTER_NAME: "infra')}: `,
}

const machine: Record<string, Break> = {
  'a missing tool': (one) => {
    one.without('kustomize')
    return 'kustomize: not installed (pinned: '
  },
  'a wrong version': (one) => {
    one.without('talosctl')
    one.stranger('talosctl', 'echo Talos v1.9.1')
    return 'talosctl: version 1.9.1 is on PATH, pinned is '
  },
  'no age key': (one) => {
    one.op("echo '[ERROR] 2026/11/24 12:00:00 no item sops-age' >&2; exit 1")
    return "the age key can't be read from 1Password: no item sops-age"
  },
}

const secrets: Record<string, Break> = {
  'an undecryptable secret': (one) => {
    one.op(`echo ${runTool('age-keygen', []).match(/AGE-SECRET-KEY-\w+/)?.[0]}`)
    return `${talsecret}:1: the age key does not decrypt it`
  },
  'no secret, which talhelper would mint': (one) => {
    rmSync(join(one.repo, talsecret))
    return 'k8sops talos gensecret --cluster apps'
  },
}

const refusal = { code: 2, stdout: '', touched: [] }

describe('k8sops bootstrap refuses with exit 2 before anything is touched', () => {
  test('an unknown cluster, naming those there are', async () => {
    const outcome = await new Case().bootstrap('nope')
    expect(outcome).toMatchObject(refusal)
    expect(outcome.stderr).toMatch(/unknown cluster nope\n.* are: infra, apps/)
  })

  test(`all at once: ${Object.keys({ ...files, ...machine }).join(', ')}`, async () => {
    const one = new Case()
    const wrong = Object.values(files).map((breakIt) => breakIt(one))
    const said = Object.values(machine).map((breakIt) => breakIt(one))
    const outcome = await one.bootstrap()
    expect(outcome).toMatchObject(refusal)
    for (const text of wrong) expect(outcome.stderr).toContain(`\n  ${text}`)
    for (const text of said) expect(outcome.stderr).toContain(text)
    // Nothing that was broken once is told as two problems.
    expect(outcome.stderr.match(/^ {2}\S+:\d+: /gm)).toHaveLength(wrong.length)
  })

  test('a k8sops.yaml that says nothing: without it there is no cluster to say more of', async () => {
    const one = new Case()
    const place = one.edit('k8sops.yaml', 'clusters:', 'clusters: [')
    const outcome = await one.bootstrap()
    expect(outcome).toMatchObject(refusal)
    expect(outcome.stderr).toContain(`  ${place.split(':')[0]}:`)
  })

  test.each(Object.entries(secrets))('%s, beside a file that is missing', async (_, breakIt) => {
    const one = new Case()
    const said = breakIt(one)
    rmSync(join(one.repo, 'bootstrap/apps/secrets.yaml.tpl'))
    const outcome = await one.bootstrap()
    expect(outcome).toMatchObject(refusal)
    expect(outcome.stderr).toContain(said)
    expect(outcome.stderr).toContain('bootstrap/apps/secrets.yaml.tpl:1: is missing')
  })

  // Else all of the above might be refused for a reason of this test's own making.
  test('and nothing when all of it is right: then it asks for the commit that the cluster follows', async () => {
    const outcome = await new Case().bootstrap()
    expect(outcome).toMatchObject({ ...refusal, code: 3 })
    expect(outcome.stderr).toContain('git has no branch release')
  })
})
