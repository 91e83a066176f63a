import { expect, test } from 'vitest'
import { deepestChain, dependencyFindings } from '../../../src/lib/repo/dependencies.ts'
import { entryKustomization } from '../../../src/lib/repo/flux.ts'
import type { RenderedKustomization } from '../../../src/lib/repo/render.ts'
import { fc } from '../../helpers/seeded-check.ts'

/** `{ b: ['a'] }`: b depends on a. */
function rendered(graph: Record<string, string[]>, more: Record<string, object> = {}): RenderedKustomization[] {
  return Object.entries(graph).map(([name, dependsOn]) => ({
    kustomization: {
      ...entryKustomization('x'),
      name,
      file: `${name}/ks.yaml`,
      dependsOn: dependsOn.map((other) => `flux-system/${other}`),
      parent: 'flux-system/flux-system',
      ...more[name],
    },
    manifests: [],
    findings: [],
  }))
}

const messages = (graph: Record<string, string[]>, more?: Record<string, object>) =>
  dependencyFindings(rendered(graph, more), []).map(
    ({ file, message }) => `${file}: ${message.replaceAll('flux-system/', '')}`,
  )

test('what resolves and has no cycle is fine', () => {
  expect(messages({ a: [], b: ['a'], c: ['a', 'b'], d: ['c', 'a'] })).toEqual([])
})

test('a name that the cluster does not have', () => {
  expect(messages({ a: ['gone'] })).toEqual([
    'a/ks.yaml: Kustomization a: dependsOn gone, which this cluster does not have',
  ])
})

test('a cycle is reported by each that is on it, with the way round', () => {
  expect(messages({ a: ['b'], b: ['c'], c: ['a'], d: ['a'] })).toEqual([
    'a/ks.yaml: Kustomization a: dependsOn cycle: a -> b -> c -> a',
    'b/ks.yaml: Kustomization b: dependsOn cycle: b -> c -> a -> b',
    'c/ks.yaml: Kustomization c: dependsOn cycle: c -> a -> b -> c',
  ])
})

test('one that depends on itself', () => {
  expect(messages({ a: ['a'] })).toEqual(['a/ks.yaml: Kustomization a: dependsOn cycle: a -> a'])
})

test('a chain that is too deep', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const graph = Object.fromEntries(names.map((name, index) => [name, index === 0 ? [] : [names[index - 1] as string]]))
  expect(messages(graph)).toEqual([
    'h/ks.yaml: Kustomization h: dependsOn is 7 deep (at most 6): h -> g -> f -> e -> d -> c -> b -> a',
  ])
})

test('a child that depends on a parent which waits for it', () => {
  const more = { parent: { waits: true }, child: { parent: 'flux-system/parent' } }
  expect(messages({ parent: [], child: ['parent'] }, more)).toEqual([
    'child/ks.yaml: Kustomization child: dependsOn parent, which waits for it (wait: true)',
  ])
  expect(messages({ parent: [], child: ['parent'] }, { ...more, parent: { waits: false } })).toEqual([])
})

test('in a random acyclic graph there is never a cycle, and depth is the longest chain', () => {
  const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 30 })
  fc.assert(
    fc.property(edges, (pairs) => {
      const graph: Record<string, string[]> = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`n${n}`, []]))
      for (const [a, b] of pairs) if (a > b) graph[`n${a}`]?.push(`n${b}`)
      // Nodes in order, so that each one's depth only needs the earlier ones'.
      const depth: Record<string, number> = {}
      for (const [name, others] of Object.entries(graph)) {
        depth[name] = Math.max(0, ...others.map((other) => (depth[other] ?? 0) + 1))
      }
      const tooDeep = Object.keys(graph).filter((name) => (depth[name] ?? 0) > deepestChain)
      const found = messages(graph)
      expect(found.filter((message) => message.includes('cycle'))).toEqual([])
      expect(found.map((message) => message.split('/')[0])).toEqual(tooDeep)
    }),
  )
})
