/** What a CronJob's roles grant, and what a command asks the API server for, in the same words. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { KubeObject, KubePort } from '../../src/lib/types.ts'

interface Role {
  kind: string
  metadata: { namespace?: string }
  rules: { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[]
}

/** `list kustomize.toolkit.fluxcd.io/kustomizations`, of a namespace ` in kube-system`, of one object ` NAME`. */
export const granted = (directory: string): string[] =>
  globSync('{clusterrole,role-*}.yaml', { cwd: directory })
    .map((file) => parse(readFileSync(join(directory, file), 'utf8')) as Role)
    .flatMap(({ metadata: { namespace }, rules }) =>
      rules.flatMap(({ apiGroups, resources, resourceNames = [''], verbs }) =>
        verbs.flatMap((verb) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((resource) => resourceNames.map((name) => right(verb, group, resource, namespace, name))),
          ),
        ),
      ),
    )

export const right = (verb: string, group: string, resource: string, namespace = '', name = '') =>
  [
    `${verb} ${group}${group ? '/' : ''}${resource}`,
    ...(namespace ? [`in ${namespace}`] : []),
    ...(name ? [name] : []),
  ].join(' ')

const pluralOf = (kind: string) => `${kind.toLowerCase().replace(/y$/, 'ie')}s`

/** @param web how Alertmanager's port is called: the operator says http, Alertmanager's own chart web */
export function recorder(web: string): { kube: KubePort; asked: Set<string> } {
  const asked = new Set<string>()
  const services: Record<string, { name: string; port: string }> = {
    vmsingle: { name: 'vmsingle-victoria-metrics', port: 'http' },
    vmalertmanager: { name: 'vmalertmanager-victoria-metrics', port: web },
  }
  const kube: KubePort = {
    async list({ apiVersion, kind, namespace, labelSelector = '' }) {
      const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
      asked.add(right('list', group, pluralOf(kind), namespace))
      const known = Object.entries(services).find(([label]) => new RegExp(`\\b${label}\\b`).test(labelSelector))?.[1]
      const service: KubeObject = {
        apiVersion,
        kind,
        metadata: { name: known?.name ?? '', namespace: 'observability' },
        spec: { ports: [{ name: known?.port, port: 80 }] },
      }
      return { ok: true, value: kind === 'Service' && known ? [service] : [] }
    },
    watch: async () => {
      throw new Error('a look watches nothing')
    },
    async raw(path) {
      const [, namespace = '', name = ''] =
        /^\/api\/v1\/namespaces\/([^/]+)\/services\/([^/]+)\/proxy\//.exec(path) ?? []
      // What every client that is known may ask: /readyz.
      if (name) asked.add(right('get', '', 'services/proxy', namespace, name))
      if (path === '/readyz') return { ok: true, value: 'ok' }
      const empty = path.includes('query_range') ? 'matrix' : 'vector'
      return {
        ok: true,
        value: path.includes('/api/v2/')
          ? '[]'
          : JSON.stringify({ status: 'success', data: { resultType: empty, result: [] } }),
      }
    },
  }
  return { kube, asked }
}
