import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/lib/errors.ts'
import { checkFault, createFaultStore, type FaultDefinition, faultCatalogue } from '../../src/lib/lab/faults.ts'

const nodes = ['cp1', 'w1']
const definition = (
  id: string,
  node: FaultDefinition['node'],
  params: Record<string, string> = {},
): FaultDefinition => ({
  id,
  node,
  params,
  summary: '',
  where: '',
  when: '',
  expect: '',
})
const catalogue = [
  definition('flaps', 'never', { up: 'seconds' }),
  definition('dead', 'required'),
  definition('slow', 'optional'),
]

describe('the catalogue', () => {
  test('holds the faults that bootstrap is tested with, each one explained', async () => {
    const faults = await faultCatalogue()
    expect(faults.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        'api-flaps',
        'node-never-boots',
        'slow-boot',
        'registry-down',
        'etcd-already-bootstrapped',
        'crd-missing',
        'flux-never-ready',
        'foreign-pki',
        'certificate-without-address',
        'node-unreachable',
        'webhook-timeout',
        'time-not-synced',
      ]),
    )
    for (const fault of faults) {
      expect(['required', 'optional', 'never'], fault.id).toContain(fault.node)
      for (const field of ['summary', 'where', 'when', 'expect'] as const)
        expect(fault[field], fault.id).toBeTypeOf('string')
      for (const meaning of Object.values(fault.params)) expect(meaning, fault.id).toMatch(/\(.+\)$/)
    }
    expect(new Set(faults.map(({ id }) => id)).size).toBe(faults.length)
  })
})

describe('a fault is refused', () => {
  test.each([
    [{ name: 'unknown' }, /unknown fault unknown/],
    [{ name: 'flaps', params: { down: '1' } }, /no parameter down/],
    [{ name: 'flaps', node: 'cp1' }, /concerns no single node/],
    [{ name: 'dead' }, /needs a node/],
    [{ name: 'slow', node: 'cp9' }, /unknown node cp9/],
  ])('%j', (fault, message) => {
    expect(() => checkFault(fault, catalogue, nodes)).toThrow(UsageError)
    expect(() => checkFault(fault, catalogue, nodes)).toThrow(message)
  })

  test('but not when it is right', () => {
    checkFault({ name: 'flaps', params: { up: '1' } }, catalogue, nodes)
    checkFault({ name: 'dead', node: 'w1' }, catalogue, nodes)
    checkFault({ name: 'slow' }, catalogue, nodes)
  })
})

describe('the store', () => {
  const names = [['cp1', '127.13.7.11', '10.0.0.11']]
  const namesOf = (node: string) => names.find((list) => list.includes(node)) ?? [node]
  const open = () => createFaultStore(mkdtempSync(join(tmpdir(), 'faults-')), namesOf)

  test('answers for a node by any of its names', async () => {
    const store = open()
    await store.add({ name: 'dead', node: 'cp1' })
    expect(store.active('dead', '127.13.7.11')).toEqual({ name: 'dead', node: 'cp1' })
    expect(store.active('dead', '10.0.0.11')).toBeDefined()
    expect(store.active('dead', 'w1')).toBeUndefined()
    expect(store.active('slow', 'cp1')).toBeUndefined()
  })

  test('a fault for all nodes counts for each, but one of its own wins', async () => {
    const store = open()
    await store.add({ name: 'slow', params: { factor: '2' } })
    await store.add({ name: 'slow', node: 'cp1', params: { factor: '9' } })
    expect(store.active('slow', 'w1')?.params).toEqual({ factor: '2' })
    expect(store.active('slow', '127.13.7.11')?.params).toEqual({ factor: '9' })
  })

  test('adding again replaces, clearing takes away, listeners hear both', async () => {
    const store = open()
    let heard = 0
    const unsubscribe = store.onChange(() => heard++)
    await store.add({ name: 'flaps', params: { up: '1' } })
    await store.add({ name: 'flaps', params: { up: '2' } })
    expect(store.list()).toEqual([{ name: 'flaps', params: { up: '2' } }])
    expect(await store.clear('dead')).toBe(0)
    expect(await store.clear()).toBe(1)
    expect(heard).toBe(3)
    unsubscribe()
    await store.add({ name: 'flaps' })
    expect(heard).toBe(3)
  })

  test('outlives the process', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'faults-'))
    await createFaultStore(dir, namesOf).add({ name: 'dead', node: 'cp1' })
    expect(createFaultStore(dir, namesOf).list()).toEqual([{ name: 'dead', node: 'cp1' }])
  })
})
