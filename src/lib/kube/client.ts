/**
 * The KubePort: reads only, on purpose (design section 3). List, watch and raw GET over HTTPS with the operator's own
 * kubeconfig; every failure is a Result that says whether the cluster is unreachable, refuses us or lacks the kind.
 */
import type { KubePort, Result } from '../types.ts'
import { createConnection } from './connection.ts'
import { createDiscovery } from './discovery.ts'
import { listObjects } from './list.ts'
import { watchObjects } from './watch.ts'

/**
 * POSTs JSON to a path that is no object's, like a Service behind the proxy: what `kubectl create --raw` would do if it named the type of
 * what it sends (1.35 does not, and Alertmanager answers 415).
 */
export function postRaw(
  target: { kubeconfig: string; context: string },
  path: string,
  body: string,
  signal: AbortSignal,
): Promise<Result<string>> {
  return createConnection(target).text(path, { body, signal })
}

/**
 * @param target kubeconfig path and context name; both may not exist yet, which reads as `unreachable`
 */
export function createKubePort(target: { kubeconfig: string; context: string }): KubePort {
  const connection = createConnection(target)
  const discovery = createDiscovery(connection)
  return {
    async list(ref, signal, reduce) {
      const listing = await listObjects(connection, discovery, ref, signal, reduce)
      return listing.ok ? { ok: true, value: listing.value.objects } : listing
    },
    watch: (ref, signal, onChange) => watchObjects(connection, discovery, ref, signal, onChange),
    raw(path, options = {}) {
      const { onLine, ...request } = options
      if (onLine) return connection.lines(path, onLine, { accept: '*/*', ...request })
      return connection.text(path, { accept: '*/*', ...request })
    },
  }
}
