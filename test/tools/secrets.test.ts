/** Secrets in git with the real sops and age, in a copy of this repository; 1Password is a small program that keeps items in a directory. */
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newIdentity, recipientOf } from '../../src/lib/tools/age.ts'
import { projectRoot, toolPath } from '../repo/tool.ts'

const canary = 'CANARY-0d1f7a6c-not-to-be-seen'
const secretFile = 'kubernetes/clusters/apps/apps/business/odoo/secret.sops.yaml'
const plain = (value: string) =>
  `apiVersion: v1\nkind: Secret\nmetadata:\n  name: odoo-canary\n  namespace: business\nstringData:\n  password: ${value}\n  user: odoo\n`

let dir: string
let root: string
let bin: string
let identity: string
let recipient: string
const seen: string[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'k8sops-secrets-'))
  ;[root, bin] = [join(dir, 'repo'), join(dir, 'bin')]
  mkdirSync(join(dir, 'vault'), { recursive: true })
  mkdirSync(bin)
  for (const part of ['k8sops.yaml', '.sops.yaml', 'kubernetes/clusters', 'talos'])
    cpSync(join(projectRoot, part), join(root, part), {
      recursive: true,
      filter: (from) => !/clusterconfig/.test(from),
    })
  identity = await newIdentity()
  recipient = await recipientOf(identity)
  writeFileSync(
    join(bin, 'op'),
    `#!${process.execPath}
const { existsSync, readFileSync, writeFileSync } = require('node:fs')
const file = (reference) => ${JSON.stringify(join(dir, 'vault'))} + '/' + encodeURIComponent(reference)
const [verb, what] = process.argv.slice(2)
if (verb === 'read') {
  if (!existsSync(file(what))) { console.error('[ERROR] 2026/11/30 11:00:00 "' + what + '" isn\\'t an item'); process.exit(1) }
  console.log(readFileSync(file(what), 'utf8'))
} else if (verb === 'item') {
  const item = JSON.parse(readFileSync(0, 'utf8'))
  const secret = item.fields.find(({ type }) => type === 'CONCEALED')
  writeFileSync(file('op://' + process.argv[process.argv.indexOf('--vault') + 1] + '/' + item.title + '/' + secret.label), secret.value)
  console.log(JSON.stringify({ id: 'new', fields: item.fields }))
} else process.exit(2)
`,
  )
  chmodSync(join(bin, 'op'), 0o755)
  keep(reference(), `# created: today\n# public key: ${recipient}\n${identity}`)
  const sops = join(root, '.sops.yaml')
  writeFileSync(sops, readFileSync(sops, 'utf8').replaceAll(/age1[0-9a-z]{58}/g, recipient))
  git('init', '-q', '--initial-branch=main')
  commit('first')
}, 60_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const reference = () => /ageKey: (\S+)/.exec(readFileSync(join(root, 'k8sops.yaml'), 'utf8'))?.[1] ?? ''
const vaultFile = (item: string) => join(dir, 'vault', encodeURIComponent(item))
const keep = (item: string, value: string) => writeFileSync(vaultFile(item), value)
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@lab', ...args], { cwd: root, encoding: 'utf8' })
const commit = (message: string) => {
  git('add', '--all')
  git('commit', '-q', '-m', message)
}
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
const sopsWith = (env: Record<string, string>, ...args: string[]) =>
  execFileSync(toolPath('sops'), args, {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: dir, ...env },
  })
const decrypted = (path: string, key = identity) => sopsWith({ SOPS_AGE_KEY: key }, 'decrypt', path)

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** The whole program, as an operator starts it; what every process of the machine is called meanwhile is kept. */
async function k8sops(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [join(projectRoot, 'bin/k8sops.js'), ...args, '--repo', root], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: [bin, process.env.PATH].join(delimiter), K8SOPS_CLUSTER: 'apps', ...env },
  })
  const out: string[] = []
  const err: string[] = []
  child.stdout.on('data', (chunk) => out.push(String(chunk)))
  child.stderr.on('data', (chunk) => err.push(String(chunk)))
  const sampler = setInterval(() => seen.push(...commandLines()), 10)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearInterval(sampler)
  seen.push(...out, ...err)
  return { code, stdout: out.join(''), stderr: err.join('') }
}

const commandLines = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')]
      } catch {
        return []
      }
    })

interface Report {
  found: number
  encrypted: { path: string; recipients: string[] }[]
  decrypted: number
  key: string
  items: { what: string; file: string; line: number; detail: string; commit?: string; known?: string }[]
}
async function check(...args: string[]): Promise<Report & { code: number | null }> {
  const { code, stdout, stderr } = await k8sops(['secrets', 'check', '--no-render', '-o', 'json', ...args])
  if (stdout === '') throw new Error(stderr)
  return { code, ...(JSON.parse(stdout) as Report) }
}
const told = ({ items }: Report) => items.map(({ what, file }) => `${what} ${file}`)

test('a plain file is found, encrypted in place, and then opens with the key of 1Password', async () => {
  write(secretFile, plain(canary))
  const before = await check()
  expect(before.code).toBe(3)
  expect(told(before)).toEqual([`readable ${secretFile}`, `readable ${secretFile}`, `plain ${secretFile}`])
  expect((await k8sops(['secrets', 'encrypt', secretFile])).code).toBe(0)
  expect(readFileSync(join(root, secretFile), 'utf8')).not.toContain(canary)
  expect(await check()).toMatchObject({ code: 0, found: 0, decrypted: 1, key: 'read' })
  expect((await k8sops(['secrets', 'encrypt', secretFile])).code).toBe(2)
  commit('with a secret')
})

test('a wrong recipient, another one beside it, a value in clear and a damaged one are each told apart', async () => {
  const good = readFileSync(join(root, secretFile), 'utf8')
  const stranger = await recipientOf(await newIdentity())
  const cases: [string, string[]][] = [
    [good.replace(/(password: )ENC\[.*\]/, `$1${canary}`), ['plain']],
    [good.replaceAll(recipient, stranger), ['recipient-missing', 'recipient-foreign']],
    [
      good
        .replace(/^ +pgp: \[\]\n/m, '')
        .replace('    age:\n', '    pgp:\n        - fp: ABC\n          enc: x\n    age:\n'),
      ['recipient-foreign'],
    ],
    [good.replace(/(password: ENC\[AES256_GCM,data:)(..)/, '$1AA'), ['undecryptable']],
  ]
  for (const [text, whats] of cases) {
    write(secretFile, text)
    const { code, items } = await check()
    expect(code).toBe(3)
    expect(items.map(({ what }) => what)).toEqual(expect.arrayContaining(whats))
  }
  sopsWith(
    { SOPS_AGE_RECIPIENTS: stranger },
    '--config',
    '/dev/null',
    'encrypt',
    '--age',
    stranger,
    '--encrypted-regex',
    '^(stringData)$',
    '--filename-override',
    'x.yaml',
    '--input-type',
    'yaml',
    '--output',
    join(root, secretFile),
    writeTemporary(plain('other')),
  )
  const foreign = await check()
  expect(told(foreign)).toEqual([
    `recipient-missing ${secretFile}`,
    `recipient-foreign ${secretFile}`,
    `undecryptable ${secretFile}`,
  ])
  expect(foreign.items.at(-1)?.detail).toMatch(/not among its recipients/)
  expect(told(await check('--no-key'))).toEqual([`recipient-missing ${secretFile}`, `recipient-foreign ${secretFile}`])
  write(secretFile, good)
  expect((await check()).code).toBe(0)
})

function writeTemporary(text: string): string {
  const path = join(dir, 'plain.yaml')
  writeFileSync(path, text)
  return path
}

test('without 1Password recipients are still compared, and the report says that nothing was decrypted', async () => {
  rmSync(vaultFile(reference()))
  const report = await check()
  expect(report).toMatchObject({ code: 0, decrypted: 0 })
  expect(report.key).toMatch(/^not read: /)
  expect((await k8sops(['secrets', 'age', 'status'])).code).toBe(4)
  expect((await k8sops(['secrets', 'rotate-key', '--all'])).code).toBe(4)
  keep(reference(), identity)
  const status = await k8sops(['secrets', 'age', 'status'])
  expect(status.code, status.stderr).toBe(0)
  expect(status.stdout).toContain(`public half ${recipient}`)
  expect(status.stdout).toMatch(/secret\.sops\.yaml {2}opens/)
})

test('history remembers what was taken back, until somebody says that it is known', async () => {
  write('bootstrap/apps/token.yaml', `github: ghp_${'a1B2'.repeat(9)}\n`)
  commit('oops')
  rmSync(join(root, 'bootstrap/apps/token.yaml'))
  write(secretFile.replace('secret.', 'early.'), plain(canary))
  commit('and again')
  git('rm', '-q', secretFile.replace('secret.', 'early.'))
  commit('nobody saw it')
  expect((await check()).code).toBe(0)
  const { code, items } = await check('--history')
  expect(code).toBe(3)
  expect(new Set(items.map(({ what, file }) => `${what} ${file}`))).toEqual(
    new Set(['history bootstrap/apps/token.yaml', `history ${secretFile.replace('secret.', 'early.')}`]),
  )
  for (const { commit: at } of items) expect(at).toMatch(/^[0-9a-f]{7,} \d{4}-\d\d-\d\d$/)
  const ids = new Set(items.map(({ detail }) => /blob ([0-9a-f]{40})/.exec(detail)?.[1]))
  write('.secrets-known', [...ids].map((id) => `${id} rotated, ticket 4711`).join('\n'))
  const known = await check('--history')
  expect(known).toMatchObject({ code: 0, found: 0 })
  expect(known.items.every((one) => one.known === 'rotated, ticket 4711')).toBe(true)
})

test('edit opens the file in the editor and encrypts what comes back', async () => {
  const editor = join(bin, 'editor')
  writeFileSync(editor, `#!/bin/sh\nsleep 0.3\nsed -i 's/user: odoo/user: odoo-new/' "$1"\n`)
  chmodSync(editor, 0o755)
  const { code, stderr } = await k8sops(['secrets', 'edit', secretFile], { EDITOR: editor })
  expect(code, stderr).toBe(0)
  expect(decrypted(secretFile)).toContain('user: odoo-new')
  writeFileSync(editor, '#!/bin/sh\nexit 0\n')
  const again = await k8sops(['secrets', 'edit', secretFile], { EDITOR: editor })
  expect(again.code).toBe(0)
  expect(again.stderr).toMatch(/is as it was/)
  expect((await k8sops(['secrets', 'edit', 'k8sops.yaml'])).code).toBe(2)
})

test('rotate-key gives a new data key and the recipients of .sops.yaml, and leaves what it cannot do as it was', async () => {
  const before = readFileSync(join(root, secretFile), 'utf8')
  const content = decrypted(secretFile)
  const { code, stderr } = await k8sops(['secrets', 'rotate-key', '--all'])
  expect(code, stderr).toBe(0)
  expect(readFileSync(join(root, secretFile), 'utf8')).not.toBe(before)
  expect(decrypted(secretFile)).toBe(content)
  const broken = readFileSync(join(root, secretFile), 'utf8').replace(/(password: ENC\[AES256_GCM,data:)(..)/, '$1AA')
  write(secretFile, broken)
  expect((await k8sops(['secrets', 'rotate-key', secretFile])).code).toBe(1)
  expect(readFileSync(join(root, secretFile), 'utf8')).toBe(broken)
  git('checkout', '-q', secretFile)
  commit('anew')
})

test('a new age key is in 1Password before anything names it, and takes over without a gap', async () => {
  const next = 'op://k8s-infra/sops-age-next/private-key'
  const { code, stdout, stderr } = await k8sops(['secrets', 'age', 'new', next])
  expect(code, stdout + stderr).toBe(0)
  const made = readFileSync(vaultFile(next), 'utf8')
  const added = await recipientOf(made)
  expect(stdout).toContain(added)
  expect(stdout + stderr).not.toContain(made)
  expect(readFileSync(join(root, '.sops.yaml'), 'utf8')).toContain(`age: ${recipient},${added}`)
  expect(told(await check())).toEqual([`recipient-missing ${secretFile}`])
  expect((await k8sops(['secrets', 'rotate-key', '--all'])).code).toBe(0)
  expect((await check()).code).toBe(0)
  expect(decrypted(secretFile, made)).toBe(decrypted(secretFile))
  expect((await k8sops(['secrets', 'age', 'new', next])).code).toBe(2)
  const config = join(root, 'k8sops.yaml')
  writeFileSync(config, readFileSync(config, 'utf8').replace(reference(), next))
  const sops = join(root, '.sops.yaml')
  writeFileSync(sops, readFileSync(sops, 'utf8').replaceAll(`${recipient},`, ''))
  const last = await k8sops(['secrets', 'rotate-key', '--all'])
  expect(last.code, last.stderr).toBe(0)
  expect(() => decrypted(secretFile)).toThrow()
  expect((await k8sops(['secrets', 'age', 'status'])).code).toBe(0)
  seen.push(...[made].filter((secret) => seen.some((text) => text.includes(secret))).map(() => canary))
})

test('neither the canary nor a key was in any output, log, plan, journal or process list', () => {
  expect(seen.some((text) => text.includes('secrets'))).toBe(true)
  const state = join(root, '.k8sops')
  const kept = existsSync(state)
    ? readdirSync(state, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    : []
  for (const secret of [canary, identity]) {
    expect(seen.filter((text) => text.includes(secret))).toEqual([])
    expect(kept.filter((text) => text.includes(secret))).toEqual([])
  }
  const left = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) =>
      entry.isFile() &&
      !entry.parentPath.includes('/.git') &&
      readFileSync(join(entry.parentPath, entry.name)).includes(canary),
  )
  expect(left.map(({ name }) => name)).toEqual([])
})
