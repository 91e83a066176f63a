import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { splitLines } from '../../src/lib/exec/lines.ts'
import { createRedactor, injectedSecrets } from '../../src/lib/exec/redact.ts'
import { quote, shellLine } from '../../src/lib/exec/render.ts'
import { fc } from '../helpers/seeded-check.ts'

test('whatever the words are, a shell reads back the same', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      const line = `printf '%s\\0' ${words.map(quote).join(' ')}`
      const output = execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' })
      const expected = words.length === 0 ? '\0' : words.map((one) => `${one}\0`).join('')
      expect(output).toBe(expected)
    }),
    { numRuns: 60 },
  )
})

test('ordinary words stay as they are', () => {
  expect(
    shellLine([
      { tool: 'talosctl', args: ['-n', '10.25.13.11', 'apply-config', '-f', 'talos/apps/a.yaml', '--mode=auto'] },
    ]),
  ).toBe('talosctl -n 10.25.13.11 apply-config -f talos/apps/a.yaml --mode=auto')
})

test('environment, secrets and pipes', () => {
  const line = shellLine([
    { tool: 'op', args: ['inject', '-i', 'a b.tpl'] },
    { tool: 'kubectl', args: ['apply', '-f', '-'], env: { A: "it's" }, secretEnv: { KEY: 'op://v/i/f' } },
  ])
  expect(line).toBe(`op inject -i 'a b.tpl' | A='it'\\''s' KEY="$(op read op://v/i/f)" kubectl apply -f -`)
})

test('lines are whole however the bytes arrive', () => {
  const text = 'eins\nzwei ä€😀\r\n\rfortschritt 1\rfortschritt 2\nohne ende'
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const bytes = Buffer.from(text)
      const lines: string[] = []
      const { push, end } = splitLines((line) => lines.push(line))
      let at = 0
      for (let index = 0; at < bytes.length; index += 1) {
        const size = sizes[index % sizes.length]!
        push(bytes.subarray(at, at + size))
        at += size
      }
      end()
      expect(lines).toEqual(['eins', 'zwei ä€😀', 'fortschritt 1', 'fortschritt 2', 'ohne ende'])
    }),
  )
})

test('a secret of many lines is known line by line, and short lines are left alone', () => {
  const redactor = createRedactor()
  redactor.add('-----BEGIN KEY-----\nMIIabcdefgh\nyz\n-----END KEY-----\n')
  expect(redactor.redact('got MIIabcdefgh and yz')).toBe('got [redacted] and yz')
})

test('of two secrets the longer goes first', () => {
  const redactor = createRedactor()
  redactor.add('abcdefgh')
  redactor.add('abcdefgh-and-more')
  expect(redactor.redact('x abcdefgh-and-more x')).toBe('x [redacted] x')
})

test('what op inject filled in, without the lines of the template', () => {
  const template = 'kind: Secret\nstringData:\n  token: {{ op://a/b/c }}\n  name: plain\n'
  const output = 'kind: Secret\nstringData:\n  token: "s3cret value"\n  name: plain\n'
  expect(injectedSecrets(output, template)).toEqual(['s3cret value'])
})
