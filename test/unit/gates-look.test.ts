import { expect, test } from 'vitest'
import { gates } from '../../src/lib/gates/catalog.ts'
import { fillGate } from '../../src/lib/gates/fill.ts'
import { askedFor } from '../../src/lib/gates/look.ts'
import type { Expectation, ObjectLook } from '../../src/lib/gates/types.ts'

const asked = (wanted: Partial<Expectation>, namespace?: string) => {
  const object = { apiVersion: 'v1', kind: 'Thing', ...(namespace ? { namespace } : {}) }
  const { name, namespace: within } = askedFor({ object, expect: { atLeast: 1, every: [], ...wanted } })
  return [within, name]
}

test('one object is asked for by its name, several and all of them as a list', () => {
  expect(asked({ named: 'one' })).toEqual([undefined, 'one'])
  expect(asked({ named: 'one' }, 'here')).toEqual(['here', 'one'])
  expect(asked({ named: 'there/one' })).toEqual(['there', 'one'])
  expect(asked({ named: 'one,two' })).toEqual([undefined, undefined])
  expect(asked({})).toEqual([undefined, undefined])
})

test('what must be gone is asked for in the same way', () => {
  const gone = (names: string[]) => asked({ atMost: 0, where: [{ path: 'metadata.name', in: names }] }, 'here')
  expect(gone(['one'])).toEqual(['here', 'one'])
  expect(gone(['one,two'])).toEqual(['here', undefined])
  expect(asked({ where: [{ path: 'status.phase', in: ['Active'] }] })).toEqual([undefined, undefined])
  const params = { apiVersion: 'v1', kind: 'Thing', namespace: 'here', names: 'one', hold: 'token' }
  const released = fillGate('flux-released', gates['flux-released'], params) as ObjectLook
  expect(askedFor(released)).toEqual({ apiVersion: 'v1', kind: 'Thing', namespace: 'here', name: 'one' })
})
