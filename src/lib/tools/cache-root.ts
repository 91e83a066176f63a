/** Where k8sops keeps what it can make again: outside the checkout, so that a machine pays once. */
import { homedir } from 'node:os'
import { join } from 'node:path'

export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return env.K8SOPS_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'k8sops')
}
