/** What is told of files from their text alone; test/tools/secrets.test.ts does it with sops, age and git. */

import { expect, it } from 'vitest'
import { encryptedFiles } from '../../../src/lib/repo/secrets/encrypted.ts'
import { readableSecrets } from '../../../src/lib/repo/secrets/readable.ts'
import { sourceFile } from '../../../src/lib/repo/source-files.ts'
import { fc } from '../../helpers/seeded-check.ts'

const body = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'
it.each([
  ['docs/note.md', `AGE-SECRET-KEY-1${'Q'.repeat(58)}`, 'an age key'],
  ['talos/apps/x.txt', `-----BEGIN EC PRIVATE KEY-----\n${body}\n`, 'a private key'],
  ['src/a.ts', `const token = 'ghp_${'a1B2'.repeat(9)}'`, 'a GitHub token'],
  ['kubernetes/a.yaml', 'spec:\n  password: hunter2hunter2\n', 'a password'],
  [
    'kubernetes/b.yaml',
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  a: Zm9vYmFy\n',
    'a Secret that is not encrypted',
  ],
])('%s: %s', (path, text, what) => {
  expect(readableSecrets(path, text).map((one) => one.what)).toContain(what)
})

it.each([
  ['docs/keys.md', 'A key begins with -----BEGIN PRIVATE KEY----- and a new line'],
  ['src/a.ts', 'password: hunter2hunter2'],
  ['kubernetes/a.yaml', `password: \${PASSWORD}\n`],
  [
    'kubernetes/b.yaml',
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  a: op://vault/item/field\n',
  ],
])('%s is nothing to hide: %s', (path, text) => {
  expect(readableSecrets(path, text)).toEqual([])
})

it('tells the line, and never the value', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.stringMatching(/^[a-z]{12}$/), (lines, secret) => {
      const found = readableSecrets('kubernetes/a.yaml', `${'# comment\n'.repeat(lines)}password: ${secret}\n`)
      expect(found).toEqual([{ what: 'a password', line: lines + 1 }])
    }),
  )
})

const recipient = `age1${'q'.repeat(58)}`
const other = `age1${'p'.repeat(58)}`
const config = sourceFile(
  '.sops.yaml',
  `creation_rules:\n  - path_regex: talos/.*\n    age: ${recipient}\n  - path_regex: kubernetes/\n    encrypted_regex: ^(data|stringData)$\n    age: ${recipient},${other}\n`,
)
const encrypted = (recipients: string[], top: string, more = '') =>
  `${top}sops:\n    age:\n${recipients.map((one) => `        - recipient: ${one}\n          enc: x\n`).join('')}    mac: ENC[x]\n    lastmodified: "2026-11-30T11:00:00Z"\n${more}`
const faultsOf = (path: string, text: string) =>
  encryptedFiles([config, sourceFile(path, text)]).flatMap(({ faults }) =>
    faults.map(({ what, line }) => `${what} ${line}`),
  )
const value = 'ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]'

it('compares recipients with the first rule of .sops.yaml that is about the file', () => {
  const whole = encrypted([recipient], `a: ${value}\nb:\n  - c: ${value}\n`)
  expect(faultsOf('talos/apps/talsecret.sops.yaml', whole)).toEqual([])
  expect(faultsOf('talos/apps/talsecret.sops.yaml', encrypted([other], `a: ${value}\n`))).toEqual([
    'recipient-missing 2',
    'recipient-foreign 4',
  ])
  expect(
    faultsOf(
      'kubernetes/a.sops.yaml',
      encrypted([recipient], `kind: Secret\ndata:\n  a: ${value}\n`, '    encrypted_regex: ^(data|stringData)$\n'),
    ),
  ).toEqual(['recipient-missing 4'])
  expect(faultsOf('elsewhere/a.sops.yaml', whole)).toEqual(['no-rule 1'])
})

it('finds values in clear where sops was told to encrypt, whatever it was told by', () => {
  const path = 'kubernetes/a.sops.yaml'
  const both = [recipient, other]
  const regex = '    encrypted_regex: ^(data|stringData)$\n'
  expect(faultsOf(path, encrypted(both, `kind: Secret\ndata:\n  a: ${value}\n  b: plain\n  c: ""\n`, regex))).toEqual([
    'plain 4',
  ])
  expect(faultsOf('talos/a.yaml', encrypted([recipient], `kind: plain\na: ${value}\nb_unencrypted: 1\n`))).toEqual([
    'plain 1',
  ])
  expect(faultsOf(path, 'kind: Secret\ndata:\n  a: b\n')).toEqual(['plain 1'])
  expect(faultsOf(path, encrypted(both, `data:\n  a: ${value}\n`, `${regex}    pgp:\n        - fp: A\n`))).toEqual([
    'recipient-foreign 12',
  ])
})
