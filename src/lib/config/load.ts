/** Reads a repository of this shape: k8sops.yaml, talos/<cluster>/talconfig.yaml, kubernetes/clusters/<cluster>/cluster-settings.yaml. */
import type { Cluster, Problem } from '../types.ts'

export interface Repository {
  root: string
  defaultCluster: string
  rollout: { order: string[]; soakHours: number }
  /** 1Password reference of the age private key, `op://vault/item/field`. */
  ageKey: string
  clusters: Cluster[]
  /** Everything wrong, with file and line; a command that needs the repository sound throws them all at once. */
  problems: Problem[]
}
