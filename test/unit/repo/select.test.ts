import { expect, test } from 'vitest'
import { splitDocuments, topLevel } from '../../../src/lib/repo/manifests.ts'
import { selectKinds } from '../../../src/lib/repo/select.ts'
import { fc } from '../../helpers/seeded-check.ts'

const crd = 'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: x\n'
const pod = 'apiVersion: v1\nkind: Pod\nspec:\n  kind: CustomResourceDefinition\n'

test('keeps the wanted kinds byte for byte', () => {
  expect(
    selectKinds(`---\n# Source: chart/crds.yaml\n${crd}---\n${pod}---\n${crd}`, ['CustomResourceDefinition']),
  ).toBe(`---\n# Source: chart/crds.yaml\n${crd}---\n${crd}`)
})

test('several kinds, quotes, comments and separators with text', () => {
  const stream = `--- # first\nkind: "Pod" # a pod\n---\r\nkind: Secret\n---\nkind: Node\n`
  expect(selectKinds(stream, ['Pod', 'Node'])).toBe('---\nkind: "Pod" # a pod\n---\nkind: Node\n')
})

test('what is indented is no separator and no kind', () => {
  const config = 'kind: ConfigMap\ndata:\n  a: |\n    ---\n    kind: Secret\n'
  expect(selectKinds(config, ['Secret'])).toBe('')
  expect(selectKinds(config, ['ConfigMap'])).toBe(`---\n${config}`)
})

test('nothing in, nothing out', () => {
  expect(selectKinds('', ['Pod'])).toBe('')
  expect(selectKinds('---\n---\n', ['Pod'])).toBe('')
})

test('splitting and selecting see the same documents', () => {
  const document = fc.constantFrom(crd, pod, 'kind: Secret\nx: |\n  ---\n', '# only a comment\n')
  fc.assert(
    fc.property(fc.array(document), (documents) => {
      const stream = documents.join('---\n')
      const kinds = splitDocuments(stream).map((text) => topLevel(text, 'kind'))
      const expected = documents.filter((text) => !text.startsWith('#')).map((text) => topLevel(text, 'kind'))
      expect(kinds).toEqual(expected)
      expect(splitDocuments(selectKinds(stream, ['Secret']))).toHaveLength(
        expected.filter((kind) => kind === 'Secret').length,
      )
    }),
  )
})
