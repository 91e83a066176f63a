import { expect, test } from 'vitest'
import { entryKustomization, type FluxKustomization } from '../../src/lib/repo/flux.ts'
import { dependencyGraph } from '../../src/lib/repo/graph.ts'
import { graphMermaid, graphSvg, graphText } from '../../src/lib/ui/graph.ts'
import { fc } from '../helpers/seeded-check.ts'

const graphOf = (edges: Record<string, string[]>) =>
  dependencyGraph(
    'infra',
    Object.entries(edges).map(([name, dependsOn]) => ({
      kustomization: {
        ...entryKustomization('x'),
        name,
        dependsOn: dependsOn.map((other) => `flux-system/${other}`),
      } as FluxKustomization,
      manifests: [],
      findings: [],
    })),
  )

test('in layers of the longest way', () => {
  const graph = graphOf({ a: [], b: ['a'], c: ['a', 'b'], d: [] })
  expect(graphText([graph])).toBe(
    [
      'cluster infra',
      '  at once',
      '    a',
      '    d',
      '  after one',
      '    b  <- a',
      '  after 2',
      '    c  <- a, b',
      '',
    ].join('\n'),
  )
  expect(graphMermaid([graph])).toContain('    infra_b --> infra_c')
  expect(graphSvg([graph]).match(/<rect/g)).toHaveLength(4)
})

test('whatever depends on whatever, cycles and strangers included, it is drawn once', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'stranger')
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.uniqueArray(names), { minKeys: 1 }),
      (edges) => {
        const graph = graphOf(edges)
        expect(graph.nodes.map(({ name }) => name).sort()).toEqual(Object.keys(edges).sort())
        expect(graphSvg([graph]).match(/<rect/g)).toHaveLength(graph.nodes.length)
      },
    ),
  )
})
