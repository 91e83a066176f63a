/** What `lab up` does to its copy of a repository: addresses, marks, made-up secrets, invented hardware, the `op` stand-in. */

import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { talconfigSchema } from '../../src/lib/config/schema.ts'
import { confirmFiles, mapAddresses, talosFiles, withoutConfirmMarks } from '../../src/lib/lab/materialise/copy.ts'
import { labEnvironment } from '../../src/lib/lab/materialise/environment.ts'
import { hardwareOf, sizeThatFits } from '../../src/lib/lab/materialise/hardware.ts'
import { injected, opValue } from '../../src/lib/lab/materialise/op.ts'
import { standIn } from '../../src/lib/lab/materialise/stand-ins.ts'
import { mappedAddress } from '../../src/lib/lab/numbers.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { labShellEnvironment } from '../../src/lib/lab/shell.ts'
import { fc } from '../helpers/seeded-check.ts'

const mapping = new Map([
  ['10.25.13.10', '127.13.7.10'],
  ['10.25.13.11', '127.13.7.11'],
  ['10.25.13.1', '127.13.7.1'],
])

describe('addresses', () => {
  test.each([
    ['endpoint: https://10.25.13.10:6443', 'endpoint: https://127.13.7.10:6443'],
    ['ipAddress: 10.25.13.11', 'ipAddress: 127.13.7.11'],
    ['certSANs: [10.25.13.10, 10.25.13.11]', 'certSANs: [127.13.7.10, 127.13.7.11]'],
    ['# the VIP is 10.25.13.10.', '# the VIP is 127.13.7.10.'],
  ])('what is dialled is mapped: %s', (before, after) => {
    expect(mapAddresses(before, mapping)).toBe(after)
  })

  test.each([
    'addresses: [10.25.13.11/24]',
    'network: 10.25.13.0/24',
    'ipAddress: 10.25.13.111',
    'version: 110.25.13.11',
    'oid: 10.25.13.11.5',
    'nameserver: 10.25.10.30',
  ])('the rest is left alone: %s', (line) => {
    expect(mapAddresses(line, mapping)).toBe(line)
  })

  test('keep their last octet, and mapping twice changes nothing', () => {
    const octet = fc.integer({ min: 2, max: 254 })
    fc.assert(
      fc.property(
        fc.array(octet, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 250 }),
        (hosts, number) => {
          const own = new Map(hosts.map((host) => [`10.25.13.${host}`, mappedAddress(`10.25.13.${host}`, number)]))
          const once = mapAddresses(hosts.map((host) => `10.25.13.${host}`).join(','), own)
          expect(once).toBe(hosts.map((host) => `127.13.${number}.${host}`).join(','))
          expect(mapAddresses(once, own)).toBe(once)
        },
      ),
    )
  })

  test('are looked for in this cluster’s Talos files only', () => {
    const paths = [
      'talos/apps/talconfig.yaml',
      'talos/apps/talsecret.sops.yaml',
      'talos/infra/talconfig.yaml',
      'kubernetes/a.yaml',
    ]
    expect(talosFiles(paths, 'apps')).toEqual(['talos/apps/talconfig.yaml'])
  })
})

describe('CONFIRM marks', () => {
  test('go, and the number of lines stays', () => {
    const text = 'a: 1 # CONFIRM: look it up\n# CONFIRM: the whole line\nb: "#CONFIRM" # kept\n'
    expect(withoutConfirmMarks(text)).toBe('a: 1\n\nb: "#CONFIRM" # kept\n')
  })

  test('count in what clusters are made of, not in documentation', () => {
    const paths = [
      'talos/a.yaml',
      'kubernetes/b.yaml',
      'bootstrap/x/secrets.yaml.tpl',
      'docs/prerequisites.md',
      'talos/c.sops.yaml',
    ]
    expect(confirmFiles(paths)).toEqual(['talos/a.yaml', 'kubernetes/b.yaml', 'bootstrap/x/secrets.yaml.tpl'])
  })
})

describe('stand-ins for encrypted files', () => {
  const text = `apiVersion: v1
kind: Secret
metadata:
  name: token # a comment
data:
  password: ENC[AES256_GCM,data:AAAA,iv:BBBB,tag:CCCC,type:str]
stringData:
  port: ENC[AES256_GCM,data:AAAA,iv:BBBB,tag:CCCC,type:int]
  plain: left as it is
sops:
  age: []
---
apiVersion: v1
kind: Secret
metadata:
  name: registry
stringData:
  .dockerconfigjson: ENC[AES256_GCM,data:AAAA,iv:BBBB,tag:CCCC,type:str]
sops:
  age: []
`
  const documents = parseAllDocuments(standIn(text, 'seed', 'a.sops.yaml')).map((document) => document.toJS())

  test('keep objects and keys, and lose the sops metadata', () => {
    expect(documents).toHaveLength(2)
    expect(documents[0]).toMatchObject({
      kind: 'Secret',
      metadata: { name: 'token' },
      stringData: { plain: 'left as it is' },
    })
    expect(Object.keys(documents[0])).toEqual(['apiVersion', 'kind', 'metadata', 'data', 'stringData'])
  })

  test('have values of the right form', () => {
    expect(Buffer.from(documents[0].data.password, 'base64').toString()).toMatch(/^[\w-]{32}$/)
    expect(documents[0].stringData.port).toBeTypeOf('number')
    expect(JSON.parse(documents[1].stringData['.dockerconfigjson'])).toEqual({ auths: {} })
  })

  test('are the same for the same seed, and others for another', () => {
    expect(standIn(text, 'seed', 'a.sops.yaml')).toBe(standIn(text, 'seed', 'a.sops.yaml'))
    expect(standIn(text, 'other', 'a.sops.yaml')).not.toBe(standIn(text, 'seed', 'a.sops.yaml'))
  })
})

describe('hardware', () => {
  test.each([
    ['', 480e9],
    ['<= 600GB', 480e9],
    ['<= 400GB', 360e9],
    ['>= 1TB', 1.1e12],
    ['> 100GiB', 480e9],
    ['== 960GB', 960e9],
    ['1TB', 1e12],
  ])('a system disk fits the selector "%s"', (condition, size) => {
    expect(sizeThatFits(condition)).toBe(size)
  })

  test('has the disks and ports that talconfig names', () => {
    const talconfig = talconfigSchema.parse(
      parse(`
clusterName: test
endpoint: https://10.0.0.10:6443
nodes:
  - hostname: cp1
    ipAddress: 10.0.0.11
    controlPlane: true
    installDisk: /dev/nvme0n1
    networkInterfaces:
      - interface: bond0
        bond:
          deviceSelectors:
            - permanentAddr: 02:01:0a:19:0d:0b
            - hardwareAddr: "aa:*"
  - hostname: w1
    ipAddress: 10.0.0.12
    installDiskSelector: { type: ssd, model: "Samsung*" }
    networkInterfaces:
      - interface: eth0
`),
    )
    const [first, second] = talconfig.nodes.map((node) => hardwareOf(talconfig, node))
    expect(first?.disks[0]).toMatchObject({ path: '/dev/nvme0n1', transport: 'nvme' })
    expect(first?.links.map(({ hardwareAddress }) => hardwareAddress)).toEqual([
      '02:01:0a:19:0d:0b',
      '02:fe:01:00:00:0b',
    ])
    expect(second?.disks[0]).toMatchObject({ path: '/dev/sda', model: 'Samsung', transport: 'sata' })
    expect(second?.links.map(({ name }) => name)).toEqual(['eth0'])
    const paths = first?.disks.map(({ path }) => path) ?? []
    expect(new Set(paths).size).toBe(paths.length)
  })
})

describe('the op stand-in', () => {
  const settings = { seed: 's', ageKeyReference: 'op://vault/age/key', ageIdentity: 'AGE-SECRET-KEY-1X' }

  test('gives the lab’s age key for its reference, and stable values for others', () => {
    expect(opValue('op://vault/age/key', settings)).toBe('AGE-SECRET-KEY-1X')
    expect(opValue('op://vault/item/password', settings)).toBe(opValue('op://vault/item/password', settings))
    expect(opValue('op://vault/item/password', settings)).not.toBe(opValue('op://vault/other/password', settings))
    expect(opValue('op://vault/git/private-key', settings)).toContain('BEGIN PRIVATE KEY')
    expect(JSON.parse(opValue('op://vault/connect/1password-credentials.json', settings))).toHaveProperty('lab')
  })

  test('fills templates: references in braces, with spaces, and bare ones', () => {
    const template = 'a: {{ op://my vault/item/field }}\nb: op://v/i/f\nc: op://v/i\n'
    expect(injected(template, (reference) => `<${reference}>`)).toBe(
      'a: <op://my vault/item/field>\nb: <op://v/i/f>\nc: op://v/i\n',
    )
  })
})

describe('the environment', () => {
  const lab = {
    dir: '/state/lab',
    base: '127.13.7.1',
    root: '/state/lab/repo',
    cluster: 'apps',
    kubeconfig: '/state/lab/kubeconfig',
  }
  const env = labEnvironment(lab, '/usr/bin')

  test('keeps every tool’s own state inside the lab', () => {
    const paths = Object.entries(env).filter(([name]) => /HOME|CONFIG|CACHE|CERT|PATH$/.test(name) && name !== 'PATH')
    expect(paths.length).toBeGreaterThan(10)
    for (const [name, value] of paths) expect(value, name).toMatch(/^\/state\/lab\//)
    expect(env.PATH).toBe('/state/lab/bin:/usr/bin')
  })

  test('of lab exec holds no credentials of the real world', () => {
    const record = { env, name: 'x', cluster: 'apps', source: '/repo' } as unknown as LabRecord
    const own = {
      HOME: '/root',
      SOPS_AGE_KEY: 'secret',
      OP_SERVICE_ACCOUNT_TOKEN: 'secret',
      KUBECONFIG: '/root/.kube/config',
      K8SOPS_PROGRESS: 'json',
    }
    const shell = labShellEnvironment(record, own)
    expect(shell).toMatchObject({ HOME: '/root', KUBECONFIG: lab.kubeconfig, K8SOPS_LAB: 'true', K8SOPS_REPO: '/repo' })
    expect(JSON.stringify(shell)).not.toContain('secret')
    expect(shell.K8SOPS_PROGRESS).toBeUndefined()
  })
})
