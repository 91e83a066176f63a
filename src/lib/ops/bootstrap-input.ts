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

/**
 * What kubectl 1.35, helm 4.2 and helmfile 1.8 say when the API server restarts under them. What they were asked to do is
 * safe to ask again. A registry that is away says much the same, but not about this port: that stops the run at once.
 * @param also what is said for a moment, of what this step asks
 */
export function whileApiIsAway(endpoint: string, ...also: string[]): { while: string[]; everySec: number } {
  const port = new URL(endpoint).port || '443'
  return {
    while: [
      'Kubernetes cluster unreachable',
      'The connection to the server .* was refused',
      `:${port}\\b.*(connection refused|connection reset|EOF|i/o timeout|TLS handshake timeout|no route to host)`,
      'the server is currently unable to handle the request',
      'http2: client connection lost',
      'etcdserver: (leader changed|request timed out)',
      ...also,
    ],
    everySec: 2,
  }
}

/** Binaries that the steps call; `op` and `git` have no pin. */
export const bootstrapTools = ['op', 'git', 'talhelper', 'talosctl', 'sops', 'kubectl', 'kustomize', 'helm', 'helmfile']
