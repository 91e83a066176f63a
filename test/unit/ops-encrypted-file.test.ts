import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { plainTextFault, storeEncrypted } from '../../src/lib/tools/encrypted-file.ts'

const encrypted = `cluster:
    # a comment
    id: ENC[AES256_GCM,data:abc=,iv:x=,tag:y=,type:str]
sops:
    age:
        - recipient: age1example
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            -----END AGE ENCRYPTED FILE-----
    lastmodified: "2026-11-23T10:00:00Z"
    mac: ENC[AES256_GCM,data:abc=,iv:x=,tag:y=,type:str]
    version: 3.13.3
`

describe('storeEncrypted', () => {
  const directory = mkdtempSync(join(tmpdir(), 'k8sops-store-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('keeps a file once, and never over an old one', async () => {
    const file = join(directory, 'apps', 'talsecret.sops.yaml')
    await storeEncrypted(file, encrypted)
    expect(readFileSync(file, 'utf8')).toBe(encrypted)
    await expect(storeEncrypted(file, encrypted)).rejects.toThrow('never writes over a secrets file')
    expect(readdirSync(join(directory, 'apps'))).toEqual(['talsecret.sops.yaml'])
  })

  it('is refused even when the old one is empty: somebody has to look at that', async () => {
    const file = join(directory, 'empty.sops.yaml')
    writeFileSync(file, '')
    await expect(storeEncrypted(file, encrypted)).rejects.toThrow('exists')
  })

  it('writes nothing when the content is not encrypted', async () => {
    const file = join(directory, 'plain.sops.yaml')
    await expect(storeEncrypted(file, 'cluster:\n    id: secret\n')).rejects.toThrow('not encrypted')
    expect(readdirSync(directory)).not.toContain('plain.sops.yaml')
  })
})

it.each([
  ['', 'nothing on standard input'],
  ['cluster:\n  id: x\n', 'no sops block'],
  [encrypted.slice(0, encrypted.indexOf('    mac')), 'no mac'],
  [encrypted.replace('ENC[AES256_GCM,data:abc=,iv:x=,tag:y=,type:str]', 'plain'), 'line 3 is in plain text'],
])('sees what is wrong with %j', (text, fault) => {
  expect(plainTextFault(text)).toContain(fault)
})

it('accepts what sops writes', () => {
  expect(plainTextFault(encrypted)).toBeUndefined()
})
