import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseManifest } from '../../../src/lib/repo/manifests.ts'
import { plainDocuments } from '../../../src/lib/repo/plain-yaml.ts'
import { isYaml, readSourceFiles } from '../../../src/lib/repo/source-files.ts'
import { fc } from '../../helpers/seeded-check.ts'

const texts = readSourceFiles(join(import.meta.dirname, '../../..'))
  .filter(isYaml)
  .map(({ text }) => text)

/** As yaml reads it; undefined of what it complains about. */
function documentsOf(text: string): unknown[] | undefined {
  const documents = [...parseAllDocuments(text, { prettyErrors: false, logLevel: 'silent' })]
  return documents.some(({ errors }) => errors.length > 0) ? undefined : documents.map((one) => one.toJS())
}

/** What it says it can read the other library reads, too, to the same. */
function expectSame(text: string): void {
  const plain = plainDocuments(text)
  if (plain) expect(plain, JSON.stringify(text)).toEqual(documentsOf(text))
}

test('the files of this repository are read as the other library reads them, nearly all of them', () => {
  for (const text of texts) expectSame(text)
  expect(texts.filter((text) => plainDocuments(text)).length).toBeGreaterThan(0.95 * texts.length)
})

const tokens = [
  ['a', 'b', 'key', '1', '0x1f', '0o17', '1e3', '.5', '-0', '1_000', '~', 'null', 'true', 'yes', 'on', '2001-01-01'],
  [' ', '  ', '\n', '\n  ', '\n- ', '\n  - ', '\n---\n', '\t', '\r\n', '- ', ': ', ':', ', ', '# ', '? '],
  ['"', "'", '{', '}', '[', ']', '|', '>', '|-\n', '>+2', '&a ', '*a', '!', '!!str ', '%', '@', '`', '\\', '<<: '],
].flat()

test('random texts are read as the other library reads them, or not at all', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 12 }), (parts) => expectSame(parts.join(''))),
    { numRuns: 2000 },
  )
})

test('so are files with something random in them', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...texts.filter(({ length }) => length < 3000)),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(3),
      fc.constantFrom(...tokens),
      (text, at, gone, token) => {
        const index = Math.floor(at * text.length)
        expectSame(text.slice(0, index) + token + text.slice(index + gone))
      },
    ),
    { numRuns: 400 },
  )
})

test.each(['y', 'No', 'on', 'OFF', 'yes', 'true', 'maybe'])('%s is to Go what it is to the other library', (word) => {
  const text = `kind: ConfigMap\ndata:\n  a: ${word}\n`
  expect(parseManifest(text)).toEqual({
    kind: 'ConfigMap',
    data: { a: /^(y|on|yes|true)$/.test(word) ? true : /^(No|OFF)$/.test(word) ? false : word },
  })
  expect(plainDocuments(text)).toEqual([parse(text)])
})
