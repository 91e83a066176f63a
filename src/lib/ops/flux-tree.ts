/** What belongs to what: a Kustomization, what it waits for, what it has applied, and what that is made from. Pure. */
import type { Json } from '../types.ts'
import { type FluxView, idOf, nameOf, shortRevision } from './flux-view.ts'

export interface TreeNode {
  kind: string
  name: string
  /** How it hangs on the one above. */
  relation: 'root' | 'waits for' | 'applies' | 'from'
  state: string
  revision: string | null
  message: string | null
  children: TreeNode[]
}

/**
 * @param depth levels below the root that are shown
 * @param views everything of the cluster
 */
export function fluxTree(root: FluxView, views: FluxView[], depth: number): TreeNode {
  const byId = new Map(views.map((view) => [idOf(view), view]))
  const walk = (view: FluxView, relation: TreeNode['relation'], left: number, trail: Set<string>): TreeNode => {
    const { kind, message } = view
    const state = view.suspended ? 'suspended' : view.state
    const node: TreeNode = {
      kind,
      name: nameOf(view),
      relation,
      state,
      revision: view.revision,
      message: state === 'ready' ? null : message,
      children: [],
    }
    const id = idOf(view)
    // A cycle of dependsOn is shown once round.
    if (left === 0 || trail.has(id)) return node
    const below = new Set([...trail, id])
    const child = (other: FluxView | undefined, name: string, of: TreeNode['relation']): TreeNode =>
      other
        ? walk(other, of, of === 'waits for' ? Math.min(left - 1, 1) : left - 1, below)
        : {
            kind: name.split('/')[0] ?? '',
            name: name.split('/').slice(1).join('/'),
            relation: of,
            state: 'is not there',
            revision: null,
            message: null,
            children: [],
          }
    node.children = [
      ...view.dependsOn.map((name) => child(byId.get(`${kind}/${name}`), `${kind}/${name}`, 'waits for')),
      ...(relation === 'waits for' ? [] : view.applied.map((one) => child(byId.get(idOf(one)), idOf(one), 'applies'))),
      ...(relation !== 'waits for' && view.source
        ? [child(byId.get(idOf(view.source)), idOf(view.source), 'from')]
        : []),
    ]
    return node
  }
  return walk(root, 'root', depth, new Set())
}

export function treeText(node: TreeNode): string {
  const lines: string[] = []
  const draw = (one: TreeNode, lead: string, below: string): void => {
    const { kind, name, relation, state, revision, message } = one
    const how = relation === 'root' || relation === 'applies' ? '' : `${relation} `
    const at = revision ? ` ${shortRevision(revision)}` : ''
    lines.push(`${lead}${how}${kind} ${name}  ${state}${at}${message ? `: ${message.split('\n')[0]}` : ''}`)
    one.children.forEach((child, index) => {
      const last = index === one.children.length - 1
      draw(child, `${below}${last ? '└─ ' : '├─ '}`, `${below}${last ? '   ' : '│  '}`)
    })
  }
  draw(node, '', '')
  return lines.join('\n')
}

export const treeData = (node: TreeNode): { [key: string]: Json } =>
  JSON.parse(JSON.stringify(node)) as { [key: string]: Json }

/** Where an object comes from: from itself up to the commit. */
export interface TraceLink {
  kind: string
  name: string
  revision: string | null
  state: string
  message: string | null
}

/** @param labels of the object: Flux writes into them who applied it */
export function traceUp(labels: Record<string, string>, views: FluxView[]): TraceLink[] {
  const byId = new Map(views.map((view) => [idOf(view), view]))
  const links: TraceLink[] = []
  const seen = new Set<string>()
  const add = (id: string | undefined): FluxView | undefined => {
    const view = id === undefined || seen.has(id) ? undefined : byId.get(id)
    if (!view) return undefined
    seen.add(idOf(view))
    const state = view.suspended ? 'suspended' : view.state
    links.push({
      kind: view.kind,
      name: nameOf(view),
      revision: view.revision,
      state,
      message: state === 'ready' ? null : view.message,
    })
    return view
  }
  const of = (kind: string, group: string) => {
    const name = labels[`${group}/name`]
    return name ? `${kind}/${labels[`${group}/namespace`]}/${name}` : undefined
  }
  let at = add(of('HelmRelease', 'helm.toolkit.fluxcd.io')) ?? add(of('Kustomization', 'kustomize.toolkit.fluxcd.io'))
  while (at) {
    if (at.source) add(idOf(at.source))
    at = at.owner ? add(`Kustomization/${at.owner}`) : undefined
  }
  return links
}
