/** Rules about dependsOn, of Flux Kustomizations and of HelmReleases. */
import { type FluxKustomization, nameOf } from './flux.ts'
import { layout } from './layout.ts'
import type { Finding } from './locate.ts'
import type { Release } from './releases.ts'
import type { RenderedKustomization } from './render.ts'

/** Each level costs one of Flux's own polls, 5 to 10 seconds of every bootstrap (design section 8). */
export const deepestChain = 6

/** Names that do not resolve, cycles, chains that are too deep, and Kustomizations that wait for what waits for them. */
export function dependencyFindings(rendered: RenderedKustomization[], releases: Release[]): Finding[] {
  const kustomizations = rendered.map(({ kustomization }) => kustomization)
  return [
    ...graphFindings('Kustomization', kustomizations),
    ...parentFindings(kustomizations),
    ...graphFindings('HelmRelease', releases),
  ]
}

interface Dependent {
  namespace: string
  name: string
  dependsOn: string[]
  file?: string | undefined
}

function graphFindings(kind: string, nodes: Dependent[]): Finding[] {
  const byName = new Map(nodes.map((node) => [nameOf(node), node]))
  const finding = (node: Dependent, other: string, message: string): Finding => ({
    file: node.file ?? layout.repositoryFile,
    message: `${kind} ${nameOf(node)}: ${message}`,
    text: `name: ${other.split('/')[1] ?? other}`,
  })
  return nodes.flatMap((node) => {
    const unknown = node.dependsOn
      .filter((other) => !byName.has(other))
      .map((other) => finding(node, other, `dependsOn ${other}, which this cluster does not have`))
    const chain = longestChain(node, byName)
    if (chain.cycle)
      return [...unknown, finding(node, chain.path[1] ?? '', `dependsOn cycle: ${chain.path.join(' -> ')}`)]
    const depth = chain.path.length - 1
    if (depth <= deepestChain) return unknown
    const message = `dependsOn is ${depth} deep (at most ${deepestChain}): ${chain.path.join(' -> ')}`
    return [...unknown, finding(node, chain.path[1] ?? '', message)]
  })
}

interface Chain {
  path: string[]
  /** `path` ends where it began. */
  cycle: boolean
}

/** The longest chain of dependencies from a node, or a cycle that the node itself is on. */
function longestChain(start: Dependent, byName: Map<string, Dependent>): Chain {
  const longest = new Map<string, string[]>()
  const walk = (node: Dependent, trail: string[]): string[] | undefined => {
    const name = nameOf(node)
    const known = longest.get(name)
    if (known) return known
    let best: string[] = []
    for (const other of node.dependsOn) {
      if (other === nameOf(start)) return [name, other]
      const next = byName.get(other)
      // A cycle elsewhere is reported by the nodes that are on it.
      if (!next || trail.includes(other)) continue
      const rest = walk(next, [...trail, other])
      if (rest?.at(-1) === nameOf(start)) return [name, ...rest]
      if (rest && rest.length > best.length) best = rest
    }
    const path = [name, ...best]
    longest.set(name, path)
    return path
  }
  const path = walk(start, [nameOf(start)]) ?? []
  return { path, cycle: path.length > 1 && path.at(-1) === nameOf(start) }
}

/** With `wait: true` a Kustomization is Ready after its children; a child that depends on it, directly or not, never is. */
function parentFindings(kustomizations: FluxKustomization[]): Finding[] {
  const byName = new Map(kustomizations.map((one) => [nameOf(one), one]))
  return kustomizations.flatMap((child) => {
    const ancestors: FluxKustomization[] = []
    // One that applies itself, or what applies it, is its own ancestor: once is enough.
    for (
      let parent = byName.get(child.parent ?? '');
      parent && !ancestors.includes(parent);
      parent = byName.get(parent.parent ?? '')
    ) {
      ancestors.push(parent)
    }
    return ancestors
      .filter((ancestor) => ancestor.waits && child.dependsOn.includes(nameOf(ancestor)))
      .map((ancestor) => ({
        file: child.file ?? layout.repositoryFile,
        message: `Kustomization ${nameOf(child)}: dependsOn ${nameOf(ancestor)}, which waits for it (wait: true)`,
        text: `name: ${ancestor.name}`,
      }))
  })
}
