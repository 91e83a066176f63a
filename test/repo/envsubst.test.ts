// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax under test

import { expect, test } from 'vitest'
import { substitute } from '../../src/lib/repo/envsubst.ts'
import { fc } from '../helpers/seeded-check.ts'
import { runTool } from './tool.ts'

const variables = { NAME: 'infra', EMPTY: '', N2: '80', LONG_NAME: 'a b: c', ÄÖ: 'umlaut' }

const name = fc.constantFrom(...Object.keys(variables), 'NOWHERE', 'A')
const plain = fc.constantFrom('a', ' ', ':', '-', ' {', '$x', '$ ', '"', 'ä', '=', '#')
/** References, nested as deep as anybody would. */
const { reference } = fc.letrec<{ reference: string; fallback: string }>((tie) => ({
  reference: fc.oneof(
    { depthSize: 'small' },
    name.map((text) => `\${${text}}`),
    fc
      .tuple(name, fc.constantFrom(':=', ':-', '=', ':?', ':+'), tie('fallback'))
      .map(([key, operator, text]) => `\${${key}${operator}${text}}`),
  ),
  fallback: fc
    .array(fc.oneof({ depthSize: 'small' }, plain, fc.constant('$$'), tie('reference')), { maxLength: 3 })
    .map((parts) => parts.join('')),
}))
const text = fc
  .array(fc.oneof(plain, reference, fc.constantFrom('$$', '$${NAME}', '}')), { maxLength: 8 })
  .map((parts) => parts.join(''))

test('is what flux envsubst makes of a thousand texts', () => {
  // One call: `flux envsubst` works line by line, so each text is a line.
  const texts = fc.sample(text, { numRuns: 1000, seed: 20261123 })
  const ours = texts.map((one) => substitute(one, variables).text)
  const theirs = runTool('flux', ['envsubst'], { env: variables, input: `${texts.join('\n')}\n` })
    .split('\n')
    .slice(0, -1)
  expect(theirs).toHaveLength(texts.length)
  expect(texts.map((one, index) => [one, ours[index]])).toEqual(texts.map((one, index) => [one, theirs[index]]))
})

test('a variable without value or default is what --strict refuses', () => {
  for (const one of fc.sample(text, { numRuns: 40, seed: 7 })) {
    const { undefinedNames } = substitute(one, variables)
    const strict = () => runTool('flux', ['envsubst', '--strict'], { env: variables, input: one })
    if (undefinedNames.length === 0) expect(strict, one).not.toThrow()
    else expect(strict, one).toThrow('variable not set')
  }
})

test('flux envsubst still drops what follows a line of more than 64 KiB, which is why it is not used', () => {
  const long = `${'x'.repeat(70_000)}\nlast`
  expect(runTool('flux', ['envsubst'], { env: {}, input: long })).not.toContain('last')
  expect(substitute(long, {}).text).toBe(long)
})
