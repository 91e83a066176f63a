import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { configChanges } from '../../src/lib/tools/machine-config.ts'
import { fc } from '../helpers/seeded-check.ts'

const main = (more: object = {}) => stringify({ version: 'v1alpha1', machine: { type: 'worker', ...more } })
const lines = (running: string, generated: string) => {
  const found = configChanges(running, generated)
  if (!found.ok) throw new Error(found.detail)
  return found.value.map(({ path, from, to }) => `${path}: ${from ?? ''} -> ${to ?? ''}`)
}

describe('what is told', () => {
  it('is nothing for the same config written in another way', () => {
    const reordered = '# a comment\nmachine: {type: worker, sysctls: {a: "1"}}\nversion: v1alpha1\n'
    expect(lines(main({ sysctls: { a: '1' } }), reordered)).toEqual([])
  })

  it('is each setting by its path, also in documents of other kinds', () => {
    const bond = (mtu: number) => `---\napiVersion: v1alpha1\nkind: BondConfig\nname: bond0\nmtu: ${mtu}\n`
    expect(
      lines(
        main({ sysctls: { 'vm.nr_hugepages': '1' }, nodeLabels: { a: 'b' } }) + bond(1500),
        main({ sysctls: { 'vm.nr_hugepages': '2' }, time: { servers: ['10.0.0.1'] } }) + bond(9000),
      ),
    ).toEqual([
      'machine.sysctls.vm.nr_hugepages: "1" -> "2"',
      'machine.nodeLabels: {"a":"b"} -> ',
      'machine.time:  -> {"servers":["10.0.0.1"]}',
      'BondConfig/bond0 mtu: 1500 -> 9000',
    ])
  })

  it('names other secrets of the cluster as such, and no other difference', () => {
    const found = configChanges(main({ token: 'a.b', time: {} }), main({ token: 'c.d', time: { disabled: true } }))
    expect(found.ok && found.value.map(({ path, identity }) => [path, identity])).toEqual([
      ['machine.token', true],
      ['machine.time.disabled', false],
    ])
  })

  it('says of what is no YAML only where', () => {
    const found = configChanges(main(), 'machine:\n  token: "s3cr3t\n  type: worker\n')
    expect(found).toMatchObject({ ok: false, why: 'bad-output' })
    expect(JSON.stringify(found)).not.toContain('s3cr3t')
  })
})

describe('secrets', () => {
  /** Where Talos 1.12 has secrets, and where people put them. */
  const places: ((secret: string) => string)[] = [
    (secret) => main({ token: secret }),
    (secret) => main({ ca: { crt: 'c', key: secret } }),
    (secret) => stringify({ cluster: { secretboxEncryptionSecret: secret } }),
    (secret) => stringify({ cluster: { serviceAccount: { key: secret } } }),
    (secret) => stringify({ cluster: { aescbcEncryptionSecret: secret } }),
    (secret) => main({ registries: { config: { 'r.example': { auth: { username: 'u', password: secret } } } } }),
    (secret) => main({ registries: { config: { 'r.example': { auth: { auth: secret, identityToken: secret } } } } }),
    (secret) => main({ files: [{ path: '/etc/x', content: `password=${secret}` }] }),
    (secret) => stringify({ cluster: { inlineManifests: [{ name: 'x', contents: `token: ${secret}` }] } }),
    (secret) => main({ env: { https_proxy: `http://user:${secret}@10.0.0.1:3128` } }),
    (secret) =>
      stringify({ kind: 'WireguardConfig', name: 'wg0', privateKey: secret, peers: [{ presharedKey: secret }] }),
    (secret) =>
      stringify({ kind: 'VolumeConfig', name: 'STATE', encryption: { keys: [{ static: { passphrase: secret } }] } }),
    (secret) => stringify({ kind: 'ExtensionServiceConfig', name: 'x', environment: [`KEY=${secret}`] }),
  ]

  it('are never shown, whether they change, come or go', () => {
    const secret = fc.string({
      minLength: 12,
      maxLength: 40,
      unit: fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'),
    })
    fc.assert(
      fc.property(fc.constantFrom(...places), secret, secret, (place, one, other) => {
        for (const [before, after] of [
          [place(one), place(other)],
          [main(), place(one)],
          [place(one), main()],
        ] as const) {
          const told = JSON.stringify(configChanges(before, after))
          expect(told).not.toContain(one)
          expect(told).not.toContain(other)
        }
      }),
      { numRuns: 300 },
    )
  })
})
