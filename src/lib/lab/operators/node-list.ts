/** The nodes as an operator's informer has them. */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { isTrue } from '../kube/conditions.ts'

export interface NodeList {
  /** Sorted by name. */
  all(): KubeObject[]
  isReady(name: string): boolean
  isCordoned(name: string): boolean
  /** Ready and not cordoned. */
  takesPods(name: string): boolean
  stop(): void
}

/** @param changed a node came or went, was cordoned or freed, got ready or lost it */
export function nodeList(view: ClusterView, changed: () => void): NodeList {
  let nodes: KubeObject[] = []
  let last = ''
  const stop = view.watch({ apiVersion: 'v1', kind: 'Node' }, (objects) => {
    nodes = [...objects].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const facts = JSON.stringify(
      nodes.map((node) => [node.metadata.name, isTrue(node, 'Ready'), node.spec?.unschedulable]),
    )
    if (facts === last) return
    last = facts
    changed()
  })
  const named = (name: string) => nodes.find(({ metadata }) => metadata.name === name)
  const isReady = (name: string) => {
    const node = named(name)
    return node !== undefined && isTrue(node, 'Ready')
  }
  return {
    all: () => nodes,
    isReady,
    isCordoned: (name) => named(name)?.spec?.unschedulable === true,
    takesPods: (name) => isReady(name) && named(name)?.spec?.unschedulable !== true,
    stop,
  }
}
