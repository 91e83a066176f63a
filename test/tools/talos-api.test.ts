/** What we read through the Talos API ourselves, beside what the real talosctl says of the same machines. */
import { copyFileSync } from 'node:fs'
import { relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTalosPort } from '../../src/lib/tools/talos-port.ts'
import type { TalosPort, TalosResourceType } from '../../src/lib/types.ts'
import { bootstrapFleet, startFleet, type TalosFleet, talosconfigFor } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
let talos: TalosPort
beforeAll(async () => {
  fleet = await startFleet(['cp1', 'w1', 'w2'])
  await bootstrapFleet({ ...fleet, machines: new Map([...fleet.machines].filter(([name]) => name !== 'w2')) })
  talos = fleet.talos
})
afterAll(() => fleet?.stop())

const at = (name: string) => fleet.address(name)
const talosctl = async (name: string, ...args: string[]) =>
  (await fleet.talosctl('-e', at(name), '-n', at(name), ...args)).stdout
const portWith = (talosconfig: string) =>
  createTalosPort({ root: fleet.dir, talosconfig: relative(fleet.dir, talosconfig) }, () => {
    throw new Error('nothing may be started')
  })

describe('says what talosctl says', () => {
  it.each<TalosResourceType>(['extensions', 'machinestatus', 'members', 'nodename', 'timestatus', 'version'])(
    'of %s',
    async (type) => {
      // One pretty-printed object after the other, without array or separator.
      const documents = (await talosctl('cp1', 'get', type, '-o', 'json')).split(/^(?=\{)/m).filter(Boolean)
      const told = documents.map((text) => JSON.parse(text) as { metadata: { id: string }; spec: object })
      const read = await talos.get(at('cp1'), type)
      expect(read).toEqual({
        ok: true,
        value: told.map(({ metadata, spec }) => ({ metadata: { id: metadata.id }, spec })),
      })
      expect(told.length).toBeGreaterThan(0)
      const [one] = told
      const single = await talos.get(at('cp1'), type, one?.metadata.id)
      expect(single).toMatchObject({ ok: true, value: [{ metadata: { id: one?.metadata.id } }] })
    },
  )

  it('of a file, of the active config and of etcd', async () => {
    const path = '/proc/sys/kernel/random/boot_id'
    expect(await talos.read(at('w1'), path)).toEqual({ ok: true, value: `${await talosctl('w1', 'read', path)}\n` })
    const config = await fleet.talos.machineConfig(at('w1'))
    const told = JSON.parse(await talosctl('w1', 'get', 'machineconfig', 'v1alpha1', '-o', 'json')) as { spec: string }
    expect(config).toEqual({ ok: true, value: told.spec })
    expect(told.spec).toContain('\n  type: worker\n')
    const status = await talos.etcdStatus(at('cp1'))
    const members = await talos.etcdMembers(at('cp1'))
    if (!status.ok || !members.ok) throw new Error('etcd was not read')
    const { member, leader, learner, errors, dbBytes } = status.value
    expect({ leader, learner, errors }).toEqual({ leader: member, learner: false, errors: '' })
    expect(dbBytes).toBeGreaterThan(1000)
    expect(await talosctl('cp1', 'etcd', 'status')).toContain(member)
    expect(members.value).toEqual([{ id: member, hostname: 'cp1', learner: false }])
    expect(await talosctl('cp1', 'etcd', 'members')).toContain(member)
    expect(await talos.etcdAlarms(at('cp1'))).toEqual({ ok: true, value: [] })
  })
})

describe('tells apart why a read fails', () => {
  const version = (port: TalosPort, name: string) => port.get(at(name), 'version')

  it('nobody is there', async () => {
    expect(await version(talos, 'cp3')).toEqual({
      ok: false,
      why: 'unreachable',
      detail: expect.stringMatching(/ECONNREFUSED/),
    })
  })

  it('the machine waits for its first config', async () => {
    expect(await version(talos, 'w2')).toMatchObject({
      why: 'denied',
      detail: expect.stringContaining('not of the CA'),
    })
  })

  it('the certificate is of another CA', async () => {
    const other = await startFleet([])
    const foreign = `${fleet.dir}/foreign-talosconfig`
    copyFileSync(other.talosconfig, foreign)
    await other.stop()
    expect(await version(portWith(foreign), 'cp1')).toMatchObject({
      why: 'denied',
      detail: expect.stringContaining('not of the CA'),
    })
  })

  it('the certificate does not name the address', async () => {
    fleet.faults({ name: 'certificate-without-address', node: at('w1') })
    await fleet.until('another certificate', async () => {
      const read = await version(talos, 'w1')
      return !read.ok && read.why === 'denied' && read.detail.includes('does not name the address')
    })
    fleet.faults()
    await fleet.until('its own again', async () => (await version(talos, 'w1')).ok)
  })

  it('the role does not do', async () => {
    const reader = portWith(await talosconfigFor(fleet, 'os:reader'))
    expect((await version(reader, 'cp1')).ok).toBe(true)
    expect(await reader.read(at('cp1'), '/proc/stat')).toEqual({
      ok: false,
      why: 'denied',
      detail: `${at('cp1')}: PermissionDenied: not authorized`,
    })
  })

  it('our certificate has expired', async () => {
    const expired = portWith(await talosconfigFor(fleet, 'os:admin', undefined, -3 * 86_400_000))
    expect(await version(expired, 'cp1')).toMatchObject({
      why: 'denied',
      detail: expect.stringMatching(/talosconfig has expired/),
    })
  })

  it('the machine answered: it has no etcd, or no such resource', async () => {
    expect(await talos.etcdStatus(at('w1'))).toMatchObject({
      why: 'failed',
      detail: expect.stringContaining('Unimplemented'),
    })
    expect(await talos.get(at('w1'), 'version', 'nothing')).toMatchObject({ why: 'not-found' })
  })
})

it('reads on after a restart of the machine, although its connection is from before', async () => {
  const bootId = async () => {
    const read = await talos.bootId(at('w1'))
    return read.ok ? read.value : `${read.why}: ${read.detail}`
  }
  const before = await bootId()
  expect((await fleet.talosctl('-e', at('w1'), '-n', at('w1'), 'reboot', '--wait=false')).code).toBe(0)
  /** Kind of answer -> what it said, for whoever meets another one. */
  const seen = new Map<string, string>()
  await fleet.until('another boot', async () => {
    const now = await bootId()
    seen.set(now.replace(/^(\w+): .*/s, '$1'), now)
    return now !== before && !/^\w+: /.test(now)
  })
  const kinds = [...seen.keys()].filter((what) => what !== before && !/^[0-9a-f-]{36}/.test(what))
  // On its way down a machine may still answer that it can't.
  const goesDown = /^failed: .*Unavailable/.test(seen.get('failed') ?? '')
  expect(kinds.toSorted(), [...seen.values()].join('\n')).toEqual(
    goesDown ? ['failed', 'unreachable'] : ['unreachable'],
  )
})
