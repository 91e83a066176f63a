/** One file per case: test/fixtures/gates/<gate>/<verdict>-<what>.json; the file's prefix is the verdict that is expected. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { gates } from '../../src/lib/gates/catalog.ts'
import { createGatePort } from '../../src/lib/gates/evaluate.ts'
import { sourcesOf, type World } from './gates-world.ts'

const root = join(import.meta.dirname, '..', 'fixtures', 'gates')
const filesOf = (gate: string) => readdirSync(join(root, gate)).filter((name) => name.endsWith('.json'))

describe.each(Object.keys(gates))('gate %s', (gate) => {
  it.each(filesOf(gate))('%s', async (file) => {
    const world = JSON.parse(readFileSync(join(root, gate, file), 'utf8')) as World
    const port = createGatePort(sourcesOf(world))
    const check = { gate, ...(world.params ? { params: world.params } : {}) }
    const verdict = await port.evaluate(check, new AbortController().signal)
    expect(`${verdict.status}: ${verdict.detail}`).toMatch(new RegExp(`^${file.split('-')[0]}: `))
    const told = [
      verdict.detail,
      ...(verdict.status === 'pass' ? [] : [...(verdict.waitingFor ?? []), verdict.next ?? '']),
    ]
    expect(told.join('\n')).toContain(world.reason)
  })

  it('has a case where it passes and one where it does not', () => {
    const verdicts = new Set(filesOf(gate).map((file) => file.split('-')[0]))
    expect(verdicts).toContain('pass')
    expect(verdicts.has('fail') || verdicts.has('unknown')).toBe(true)
  })
})

it('no fixtures are left of a gate that is gone', () => {
  expect(readdirSync(root).filter((name) => !(name in gates))).toEqual([])
})
