/**
 * The lab's `op`: the commands of 1Password's CLI (2.x) that k8sops and its runbooks use, answered with made-up values
 * that stay the same for a reference as long as the lab lives. `<dir>/bin/op` starts it, so no source outside the lab
 * can tell. Every reference that is read is written to <dir>/logs/op.log, by name.
 */
import { createHmac, createPrivateKey } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { argv, env, exit, stderr, stdout } from 'node:process'
import { documentedFields } from '../operators/secret-template.ts'

/** What `<dir>/secrets/op.json` says. */
export interface OpSettings {
  seed: string
  /** The reference of the age key (k8sops.yaml, onePassword.ageKey): the one that has to fit the lab's files. */
  ageKeyReference: string
  ageIdentity: string
  /** Values that somebody has put in place of the made-up ones, by reference. */
  changed?: Record<string, string>
}

export const opSettingsFile = (dir: string) => join(dir, 'secrets', 'op.json')

/** The script that is installed as `<dir>/bin/op`. */
export function opScript(dir: string): string {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  return `#!/bin/sh
# k8sops lab: a stand-in for 1Password's CLI, with throw-away values.
K8SOPS_LAB_DIR=${quote(dir)} exec ${quote(process.execPath)} ${quote(import.meta.filename)} "$@"
`
}

/** The value behind a reference: stable until it is changed, plausible in form, worthless. */
export function opValue(reference: string, settings: OpSettings): string {
  const changed = settings.changed?.[reference]
  if (changed !== undefined) return changed
  if (reference === settings.ageKeyReference) return settings.ageIdentity
  const digest = createHmac('sha256', settings.seed).update(reference).digest()
  const field = reference.slice(reference.lastIndexOf('/') + 1).toLowerCase()
  // Files stand in 1Password as base64, because they go into the `data` of a Secret (docs/prerequisites.md).
  if (field.endsWith('-base64')) {
    return Buffer.from(opValue(reference.slice(0, -'-base64'.length), settings)).toString('base64')
  }
  if (/credentials?\.json$/.test(field)) return JSON.stringify({ lab: digest.toString('hex') })
  if (/(private[-_ ]?key|identity|deploy[-_ ]?key)/.test(field)) return privateKey(digest)
  if (/known[-_ ]?hosts/.test(field)) return `git.lab.invalid ssh-ed25519 ${digest.toString('base64')}`
  return digest.toString('base64url').slice(0, 32)
}

/** An Ed25519 key whose seed is the digest: the fixed head of RFC 8410's PKCS#8 form, then the seed. */
function privateKey(seed: Buffer): string {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
}

/** `{{ op://vault/item/field }}` may hold spaces in its names, a bare `op://vault/item/field` may not. */
const enclosed = /\{\{\s*(op:\/\/[^}]+?)\s*\}\}/g
const bare = /op:\/\/[\w.-]+(?:\/[\w.-]+){2,3}/g

/** What `op inject` makes of a template. */
export function injected(template: string, fill: (reference: string) => string): string {
  const parts = template.split(enclosed)
  // split() puts the captured references at the odd places.
  return parts.map((part, index) => (index % 2 === 1 ? fill(part) : part.replace(bare, fill))).join('')
}

const account = {
  url: 'https://lab.1password.invalid',
  email: 'lab@k8sops.invalid',
  user_uuid: 'LABLABLABLABLABLABLABLABLA',
  account_uuid: 'LABLABLABLABLABLABLABLABLA',
}

interface Call {
  words: string[]
  options: Map<string, string>
}

/** Flags without a value; every other one takes the next word. */
const switches = new Set(['-n', '--no-newline', '-f', '--force', '--no-color', '--version', '-v', '--cache'])

function parse(args: string[]): Call {
  const words: string[] = []
  const options = new Map<string, string>()
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? ''
    const [name, inline] = arg.startsWith('--') && arg.includes('=') ? arg.split(/=(.*)/s) : [arg]
    if (!arg.startsWith('-') || arg === '-') words.push(arg)
    else options.set(name ?? arg, inline ?? (switches.has(arg) ? '' : (args[++index] ?? '')))
  }
  return { words, options }
}

function main(): number {
  const dir = env.K8SOPS_LAB_DIR
  if (!dir) return fail('this is the stand-in of a k8sops lab: start it as <lab>/bin/op')
  const settings = JSON.parse(readFileSync(opSettingsFile(dir), 'utf8')) as OpSettings
  const { words, options } = parse(argv.slice(2))
  const option = (...names: string[]) => names.map((name) => options.get(name)).find((value) => value !== undefined)
  const read = (verb: string, reference: string) => {
    log(dir, `${verb} ${reference}`)
    return opValue(reference, settings)
  }
  const write = (text: string, file: string | undefined) => {
    if (file) writeFileSync(file, text, { mode: 0o600 })
    else stdout.write(text)
  }
  const json = option('--format') === 'json'

  if (options.has('--version') || options.has('-v')) {
    stdout.write('2.32.0\n')
    return 0
  }
  switch (words[0]) {
    case 'whoami':
      stdout.write(
        json
          ? `${JSON.stringify(account)}\n`
          : `URL:        ${account.url}\nEmail:      ${account.email}\nUser ID:    ${account.user_uuid}\n`,
      )
      return 0
    case 'account':
      if (words[1] !== 'list' && words[1] !== 'ls') return fail(`unknown command "${words[1] ?? ''}" for "op account"`)
      stdout.write(
        json
          ? `${JSON.stringify([account])}\n`
          : `URL\tEMAIL\tUSER ID\n${account.url}\t${account.email}\t${account.user_uuid}\n`,
      )
      return 0
    case 'read': {
      const reference = words[1] ?? ''
      if (!/^op:\/\/[^/]+\/[^/]+\/.+/.test(reference)) return fail(`invalid secret reference '${reference}'`)
      const newline = options.has('-n') || options.has('--no-newline') ? '' : '\n'
      write(`${read('read', reference).replace(/\n$/, '')}${newline}`, option('-o', '--out-file'))
      return 0
    }
    case 'inject': {
      const input = option('-i', '--in-file')
      const template = readFileSync(input && input !== '-' ? input : 0, 'utf8')
      write(
        injected(template, (reference) => read('inject', reference)),
        option('-o', '--out-file'),
      )
      return 0
    }
    case 'item':
      return itemCommand({ words, vault: option('--vault') ?? '', settings, dir })
    default:
      return fail(
        `unknown command "${words[0] ?? ''}" for "op" (the lab's stand-in knows whoami, account list, read, inject, item get and item edit)`,
      )
  }
}

interface ItemCall {
  words: string[]
  vault: string
  settings: OpSettings
  dir: string
}

/** `item get` shows the fields that docs/prerequisites.md lists, `item edit` takes them back from standard input. */
function itemCommand({ words: [, verb, item = ''], vault, settings, dir }: ItemCall): number {
  const reference = (field: string) => `op://${vault}/${item}/${field}`
  log(dir, `item ${verb} op://${vault}/${item}`)
  if (verb === 'get') {
    const listed = documentedFields(readFileSync(join(dir, 'repo/docs/prerequisites.md'), 'utf8'), item)
    const names = [...new Set([...listed, 'password'])]
    const fields = names.map((label) => ({
      id: label,
      type: 'CONCEALED',
      label,
      reference: reference(label),
      value: opValue(reference(label), settings),
    }))
    stdout.write(`${JSON.stringify({ id: item, title: item, vault: { name: vault }, fields })}\n`)
    return 0
  }
  if (verb !== 'edit') return fail(`unknown command "${verb ?? ''}" for "op item"`)
  const { fields = [] } = JSON.parse(readFileSync(0, 'utf8')) as { fields?: { label: string; value: string }[] }
  const changed = fields.filter(({ label, value }) => opValue(reference(label), settings) !== value)
  const all = {
    ...settings.changed,
    ...Object.fromEntries(changed.map(({ label, value }) => [reference(label), value])),
  }
  writeFileSync(opSettingsFile(dir), JSON.stringify({ ...settings, changed: all }), { mode: 0o600 })
  stdout.write(`ID:  ${item}\nFields:\n${changed.map(({ label }) => `  ${label}:  [concealed]\n`).join('')}`)
  return 0
}

function log(dir: string, line: string): void {
  mkdirSync(dirname(join(dir, 'logs', 'op.log')), { recursive: true })
  appendFileSync(join(dir, 'logs', 'op.log'), `${new Date().toISOString()} ${line}\n`)
}

function fail(message: string): number {
  stderr.write(`[ERROR] ${new Date().toISOString().replace('T', ' ').slice(0, 19)} ${message}\n`)
  return 1
}

if (import.meta.main) exit(main())
