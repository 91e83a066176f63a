/** What bootstrap's plan is made from. */
import type { Check, Cluster, Target } from '../types.ts'
import type { BootstrapFiles } from './bootstrap-files.ts'

export interface BootstrapParams {
  /** Last step to run, by id or by the part before its slash. */
  until?: string
  /** Stop before Flux is installed. */
  skipFlux: boolean
  /** How long machines may take to answer, each time they are waited for. */
  nodeTimeoutSec: number
}

/** Everything that the plan is made from. */
export interface BootstrapInput {
  cluster: Cluster
  target: Pick<Target, 'context' | 'talosconfig'>
  /** 1Password reference of the age key. */
  ageKey: string
  files: BootstrapFiles
  params: BootstrapParams
}

export const bootstrapRunbook = 'docs/runbooks/talos.md'

export function check(gate: string, params?: Record<string, string>): Check {
  return params ? { gate, params } : { gate }
}

/** Binaries that the steps call; `op` and `git` have no pin. */
export const bootstrapTools = ['op', 'git', 'talhelper', 'talosctl', 'sops', 'kubectl', 'kustomize', 'helm', 'helmfile']
