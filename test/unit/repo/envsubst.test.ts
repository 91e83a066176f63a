// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax under test

import { describe, expect, test } from 'vitest'
import { substitute, UnsupportedSubstitution } from '../../../src/lib/repo/envsubst.ts'
import { fc } from '../../helpers/seeded-check.ts'

const variables = { NAME: 'infra', EMPTY: '', PORT: '8080' }

describe('as Flux does', () => {
  test.each([
    ['plain text', 'plain text'],
    ['a ${NAME} b', 'a infra b'],
    ['${NAME}${PORT}', 'infra8080'],
    ['$NAME stays', '$NAME stays'],
    ['$${NAME} is an escape', '${NAME} is an escape'],
    ['$$ is one dollar, $$$$ two', '$ is one dollar, $$ two'],
    ['$$${NAME}', '$infra'],
    ['end $', 'end $'],
    ['${NOWHERE:=fallback}', 'fallback'],
    ['${NOWHERE:-fallback}', 'fallback'],
    ['${NOWHERE=fallback}', 'fallback'],
    ['${NAME:=fallback}', 'infra'],
    ['${EMPTY:=fallback}', 'fallback'],
    ['${NOWHERE:=}', ''],
    ['${NOWHERE:=a ${NAME} b}', 'a infra b'],
    ['${NOWHERE:=$$x}', '$$x'],
    ['line\n${NAME}\nline', 'line\ninfra\nline'],
  ])('%j -> %j', (text, expected) => {
    expect(substitute(text, variables)).toEqual({ text: expected, undefinedNames: [] })
  })
})

test('variables without a value or a default become nothing, and are named', () => {
  expect(substitute('${A}-${B:=b}-${A}-${NOWHERE:=${C}}', {})).toEqual({ text: '-b--', undefinedNames: ['A', 'C'] })
})

test('names of Object.prototype are no variables', () => {
  expect(substitute('${constructor}', {}).undefinedNames).toEqual(['constructor'])
})

test.each([
  ['${NAME/a/b}', 'operator'],
  ['${NAME^^}', 'operator'],
  ['${NAME-x}', 'operator'],
  ['${#NAME}', 'no variable name'],
  ['${}', 'no variable name'],
  ['${NAME', 'operator'],
  ['${NAME:=x', 'missing closing brace'],
])('%s is refused, not guessed', (text, reason) => {
  expect(() => substitute(text, variables)).toThrow(UnsupportedSubstitution)
  expect(() => substitute(text, variables)).toThrow(reason)
})

test('text without a dollar never changes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const plain = text.replaceAll('$', '')
      expect(substitute(plain, variables).text).toBe(plain)
    }),
  )
})

test('text whose dollars are doubled comes out as it was', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(substitute(text.replaceAll('$', '$$$$'), variables).text).toBe(text)
    }),
  )
})
