/** Nodes that a command line names. */
import { UsageError } from '../errors.ts'
import type { Cluster, ClusterNode } from '../types.ts'

/**
 * The nodes of `--node`, in the order of talconfig.yaml; every one is a hostname of the cluster.
 * @param wanted one name, several, or nothing: then the list is empty
 * @throws UsageError for names that aren't there, all in one
 */
export function chosenNodes(
  cluster: Cluster,
  wanted: string | boolean | string[] | undefined,
  only: { controlPlane?: true } = {},
): ClusterNode[] {
  const names = [wanted].flat().filter((name): name is string => typeof name === 'string')
  const known = cluster.nodes.filter(({ controlPlane }) => controlPlane || !only.controlPlane)
  const unknown = names.filter((name) => !known.some(({ hostname }) => hostname === name))
  if (unknown.length > 0) {
    const what = only.controlPlane ? 'control planes' : 'nodes'
    throw new UsageError(
      `cluster ${cluster.name} has no ${only.controlPlane ? 'control plane' : 'node'} ${unknown.join(', ')}`,
      {
        next: `its ${what} in talos/${cluster.name}/talconfig.yaml are: ${known.map(({ hostname }) => hostname).join(', ')}`,
      },
    )
  }
  return known.filter(({ hostname }) => names.includes(hostname))
}
