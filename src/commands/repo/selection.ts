/** How the commands that only read files choose a cluster: no kube context, no checks, no lab. */
import { type OptionValue, textOption } from '../../lib/cli/define.ts'
import { clusterNamed, type Repository } from '../../lib/config/load.ts'
import type { Cluster } from '../../lib/types.ts'

/** The cluster of --cluster (or K8SOPS_CLUSTER), else the repository's default. Throws UsageError for an unknown one. */
export function namedCluster(repository: Repository, option: OptionValue): Cluster {
  return clusterNamed(repository, textOption(option) ?? repository.defaultCluster)
}
