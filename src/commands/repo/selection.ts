/** How the commands that only read files choose a cluster: no kube context, no checks, no lab. */
import { clusterNamed, type Repository } from '../../lib/config/load.ts'
import type { Cluster } from '../../lib/types.ts'

/** An option's value when it is text. */
export const textOption = (value: string | boolean | string[] | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** The cluster of --cluster (or K8SOPS_CLUSTER), else the repository's default. Throws UsageError for an unknown one. */
export function namedCluster(repository: Repository, option: string | boolean | string[] | undefined): Cluster {
  return clusterNamed(repository, textOption(option) ?? repository.defaultCluster)
}
