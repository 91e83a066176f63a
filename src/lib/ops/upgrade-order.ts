/** In which order, and how many at a time. Reasons: docs/adr/0023. */
import type { UpgradeNode, UpgradeParams } from './upgrade-input.ts'

/**
 * Batches of nodes that are out at the same time. Control planes always go alone, and the one that leads etcd last: each time
 * the leadership moves, every write waits. The first worker goes alone whatever `maxUnavailable` says: it is the canary.
 */
export function upgradeBatches(
  nodes: UpgradeNode[],
  { order, maxUnavailable }: Pick<UpgradeParams, 'order' | 'maxUnavailable'>,
  leader: string | undefined,
): UpgradeNode[][] {
  const controlPlanes = nodes
    .filter(({ node }) => node.controlPlane)
    .sort((a, b) => Number(a.node.hostname === leader) - Number(b.node.hostname === leader))
    .map((one) => [one])
  const [canary, ...workers] = nodes.filter(({ node }) => !node.controlPlane)
  const batches = canary ? [[canary], ...chunks(workers, maxUnavailable)] : []
  return order === 'workers-first' ? [...batches, ...controlPlanes] : [...controlPlanes, ...batches]
}

function chunks<T>(all: T[], size: number): T[][] {
  const count = Math.ceil(all.length / Math.max(size, 1))
  return Array.from({ length: count }, (_, index) => all.slice(index * size, (index + 1) * size))
}

/**
 * Chains of steps side by side: the first step of each, then the second of each. Neighbours with one group run at once, and
 * the next ones begin when all of them are done, so a node that fails stops its batch before the next stage.
 * @param chains of equal length and equal verbs (`<host>/<verb>`)
 */
export function sideBySide<T extends { id: string; group?: string }>(chains: T[][], name: string): T[] {
  const [first = []] = chains
  if (chains.length === 1) return first
  return first.flatMap(({ id }, index) => {
    const group = `${name}/${id.split('/').at(-1)}`
    return chains.map((chain) => ({ ...chain[index]!, group }))
  })
}
