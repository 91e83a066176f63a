/** Which cluster a command is about (design section 4), and whether the kube context is really that cluster's. */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Repository } from '../config/load.ts'
import { ConfigError, UsageError } from '../errors.ts'
import type { Cluster } from '../types.ts'

/**
 * --cluster (or K8SOPS_CLUSTER, which is that option's environment), then the current kube context if it is one of the
 * repository's, then defaultCluster.
 * @throws UsageError that lists the clusters.
 */
export function chooseCluster(repository: Repository, wanted: string | undefined, env: NodeJS.ProcessEnv): string {
  const names = repository.clusters.map(({ name }) => name)
  if (wanted !== undefined && names.includes(wanted)) return wanted
  const list = `the clusters of ${repository.root} are: ${names.join(', ')}`
  if (wanted === 'all') throw new UsageError('this command works on one cluster at a time', { next: list })
  if (wanted !== undefined) throw new UsageError(`unknown cluster ${wanted}`, { next: list })
  const context = currentContext(env)
  const byContext = repository.clusters.find((cluster) => cluster.context === context)
  if (byContext) return byContext.name
  if (names.includes(repository.defaultCluster)) return repository.defaultCluster
  throw new UsageError('which cluster?', { next: `--cluster NAME, or defaultCluster in k8sops.yaml; ${list}` })
}

/** `current-context` of the first kubeconfig that has one, as kubectl merges them; a full parse would cost more than the answer. */
export function currentContext(env: NodeJS.ProcessEnv): string | undefined {
  const files = (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean)
  if (files.length === 0) files.push(join(env.HOME ?? homedir(), '.kube', 'config'))
  for (const file of files) {
    const match = /^current-context:[ \t]*(["']?)([^\s"']+)\1[ \t]*$/m.exec(read(file))
    if (match) return match[2]
  }
  return undefined
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/**
 * Refuses a context whose API server is none of the cluster's: commands that were meant for one cluster must not reach
 * another because a kubeconfig was edited. No context yet is right: bootstrap makes it.
 */
export function refuseForeignContext(cluster: Cluster, context: string, server: string | undefined): void {
  if (server === undefined) return
  const host = URL.canParse(server) ? new URL(server).hostname.replace(/^\[|\]$/g, '') : server
  const endpointHost = URL.canParse(cluster.endpoint) ? new URL(cluster.endpoint).hostname : ''
  const own = [endpointHost, cluster.vip, ...cluster.nodes.map(({ address }) => address)].filter(Boolean)
  if (own.includes(host)) return
  throw new ConfigError(`kube context ${context} points to ${server}, which is not cluster ${cluster.name}`, [], {
    next: `its addresses are ${own.join(', ')}; fix the context, or take another kubeconfig with KUBECONFIG`,
  })
}
