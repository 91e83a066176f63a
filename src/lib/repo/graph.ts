/** What waits for what on a cluster: Kustomizations by dependsOn, in layers of the longest way to them. */
import { nameOf } from './flux.ts'
import type { RenderedKustomization } from './render.ts'

export interface GraphNode {
  name: string
  /** 0: waits for nothing. */
  layer: number
  dependsOn: string[]
}

export interface DependencyGraph {
  cluster: string
  nodes: GraphNode[]
}

/** What Flux applies on a cluster, by what waits for what. */
export const dependencyGraph = (cluster: string, rendered: RenderedKustomization[]): DependencyGraph => ({
  cluster,
  nodes: layered(new Map(rendered.map(({ kustomization }) => [nameOf(kustomization), kustomization.dependsOn]))),
})

/** Nodes by layer and name. Of a cycle each is one below the other, once; names that are not there are left out: `validate` tells. */
export function layered(all: ReadonlyMap<string, readonly string[]>): GraphNode[] {
  const layers = new Map<string, number>()
  const layerOf = (name: string, trail: string[]): number => {
    const known = layers.get(name)
    if (known !== undefined) return known
    const below = (all.get(name) ?? []).filter((other) => all.has(other) && !trail.includes(other))
    const layer = below.reduce((deepest, other) => Math.max(deepest, layerOf(other, [...trail, other]) + 1), 0)
    layers.set(name, layer)
    return layer
  }
  const short = (name: string) => name.replace(/^flux-system\//, '')
  const nodes = [...all].map(([name, dependsOn]) => ({
    name: short(name),
    layer: layerOf(name, [name]),
    dependsOn: dependsOn.filter((other) => all.has(other)).map(short),
  }))
  return nodes.sort((a, b) => a.layer - b.layer || (a.name < b.name ? -1 : 1))
}
