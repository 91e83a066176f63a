/** Whatever stands in a file, the readers say so with file and line, and nothing crashes. */

import { expect, test } from 'vitest'
import { parseYaml } from '../../../../src/lib/config/document.ts'
import { linesOf } from '../../../../src/lib/repo/locate.ts'
import { rules } from '../../../../src/lib/repo/rules/catalog.ts'
import { checkRules } from '../../../../src/lib/repo/rules/check.ts'
import { sourceFile } from '../../../../src/lib/repo/source-files.ts'
import type { Problem } from '../../../../src/lib/types.ts'
import { full } from '../../../helpers/seed.ts'
import { fc } from '../../../helpers/seeded-check.ts'
import { fileCases } from './cases-files.ts'
import { objectCases } from './cases-objects.ts'
import { viewOf } from './view.ts'

const pieces = [
  'a: 1\n',
  '- b\n',
  '  - c: [',
  '{',
  '}',
  '---\n',
  '\t',
  'x: &a *b\n',
  '"',
  "'",
  '|\n',
  '!!binary x\n',
  'kind: Secret\n',
  ': ',
  '# waive(x): y\n',
  '\u0000',
  '% y\n',
  '? ',
  'é\r\n',
  '<<: *a\n',
]
const sound = Object.values({ ...fileCases, ...objectCases }).flatMap((one) => Object.values(one.sound))

/** A third in every `npm test` (which `npm run check` has half a minute for), all with K8SOPS_TEST_FULL=1. */
const runs = (all: number) => (full ? all : Math.ceil(all / 3))

/** Noise, noise in the middle of what is sound, and what is sound cut off. */
const anything = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc
    .tuple(fc.constantFrom(...sound), fc.nat(2000), fc.constantFrom(...pieces))
    .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at)),
  fc.tuple(fc.constantFrom(...sound), fc.nat(2000)).map(([text, at]) => text.slice(0, at)),
)

const isPlace = (text: string, line: number) => line >= 1 && line <= text.split('\n').length + 1

test('malformed YAML is a list of errors with lines', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const file = sourceFile('kubernetes/a.yaml', text)
      for (const { line, message } of file.errors()) {
        expect(isPlace(text, line)).toBe(true)
        expect(message).not.toBe('')
      }
      const problems: Problem[] = []
      const parsed = parseYaml(text, 'k8sops.yaml', problems)
      expect(parsed !== undefined || problems.length > 0).toBe(true)
      for (const problem of problems) expect(isPlace(text, problem.line) && problem.file === 'k8sops.yaml').toBe(true)
    }),
    { numRuns: runs(500) },
  )
})

test('a path is found, or its nearest ancestor is, in whatever file', async () => {
  const path = fc.array(fc.oneof(fc.constantFrom('a', 'metadata', 'spec', 'name'), fc.nat(3)), {
    minLength: 1,
    maxLength: 4,
  })
  await fc.assert(
    fc.asyncProperty(anything, path, async (text, where) => {
      const finding = { file: 'a.yaml', message: 'x', path: where, object: { kind: 'Secret', name: 'x' } }
      const [line] = await linesOf('/nowhere', [finding], [{ path: 'a.yaml', text }])
      expect(isPlace(text, line as number)).toBe(true)
    }),
    { numRuns: runs(300) },
  )
})

test('every rule survives whatever stands in the files that it reads', async () => {
  const paths = [
    '.sops.yaml',
    '.github/workflows/x.yaml',
    'talos/infra/talconfig.yaml',
    'bootstrap/infra/a.yaml.tpl',
    'kubernetes/infrastructure/x/ks.yaml',
    'kubernetes/infrastructure/x/kustomization.yaml',
    'kubernetes/a.sops.yaml',
  ]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), anything, async (path, text) => {
      const view = await viewOf({ [path]: text })
      const { findings } = await checkRules(view, { only: rules })
      for (const { file, line } of findings) expect(line >= 1 && (file !== path || isPlace(text, line))).toBe(true)
    }),
    { numRuns: runs(200) },
  )
})

test('every rule survives objects with fields of other kinds than it expects', async () => {
  const value = fc.oneof(
    fc.constantFrom(null, true, 0, '', 'x', '*'),
    fc.array(fc.constantFrom(null, 1, 'x', {}), { maxLength: 2 }),
    fc.constant({}),
  )
  const objects = Object.values(objectCases).flatMap((one) => Object.entries(one.sound))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...objects), fc.nat(30), value, async ([path, text], at, wrong) => {
      const keys = [...text.matchAll(/^( *)([\w-]+):.*$/gm)].filter(
        ([, , key]) => !['apiVersion', 'kind', 'metadata', 'name'].includes(key ?? ''),
      )
      const key = keys[at % Math.max(1, keys.length)]
      if (!key) return
      const broken =
        text.slice(0, key.index) +
        `${key[1]}${key[2]}: ${JSON.stringify(wrong)}` +
        text.slice(key.index + key[0].length)
      if (sourceFile(path, broken).errors().length > 0) return
      const { findings } = await checkRules(await viewOf({ [path]: broken }), { only: rules })
      for (const { line } of findings) expect(line).toBeGreaterThanOrEqual(1)
    }),
    { numRuns: runs(300) },
  )
})
