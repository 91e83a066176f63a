/** What a namespace may use: numbers that mean something, and enough for what is known to run there. */
import { bytesOf, coresOf, dig, isFields, listAt, mapAt, maps, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { podOf } from './charts.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject, type RepositoryView } from './view.ts'

export const quotaRules: Rule[] = [
  {
    id: 'quota-sound',
    demands:
      'A quota counts objects in whole numbers, memory and storage in bytes with a unit and CPU in cores; limits are no less than requests',
    why: 'Kubernetes takes 8Gi of pods and 4 bytes of memory: nothing would be admitted, or everything',
    fix: 'limits.memory: 8Gi, requests.memory: 4Gi, requests.cpu: "4", pods: "40"',
    source: 'FR30, Kubernetes',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) => [
      ...ofKind(cluster, 'ResourceQuota').flatMap(unsoundQuota),
      ...ofKind(cluster, 'LimitRange').flatMap(unsoundRange),
      ...cluster.objects.filter(({ release }) => !release).flatMap(unsoundResources),
    ]),
  },
  {
    id: 'quota-holds',
    demands: 'What is known to run in a namespace fits into its quota',
    why: 'The API server refuses the pod that is one too many, and only a ReplicaSet says so',
    fix: 'Patch the quota in base/namespaces/<name>/kustomization.yaml',
    source: 'FR30',
    scope: 'house',
    check: (view) => each((cluster) => overdrawn(cluster, nodesOf(view, cluster.name)))(view),
  },
]

const counted =
  /^(pods|persistentvolumeclaims|services|secrets|configmaps|replicationcontrollers|resourcequotas|count\/.+|services\..+)$/

/** What is wrong with an amount of a resource, by its name. */
function misuse(resource: string, text: string): string | undefined {
  if (counted.test(resource)) return /^\d+$/.test(text) ? undefined : 'is no whole number'
  if (/(^|\.)(memory|storage|ephemeral-storage)$/.test(resource))
    return (bytesOf(text) ?? 0) >= 2 ** 20 ? undefined : 'is no size'
  if (/(^|\.)cpu$/.test(resource)) return coresOf(text) === undefined ? 'is no number of cores' : undefined
  return undefined
}

function unsoundQuota(one: RenderedObject): Finding[] {
  const hard = mapAt(one.object(), 'spec.hard')
  const at = (resource: string) => textAt(hard, [resource])
  return [
    ...Object.keys(hard).flatMap((resource) => {
      const wrong = misuse(resource, at(resource) ?? '')
      return wrong ? [about(one, `${resource}: ${at(resource)} ${wrong}`, ['spec', 'hard', resource])] : []
    }),
    ...(['memory', 'cpu'] as const).flatMap((resource) => {
      const [limit, request] = [at(`limits.${resource}`), at(`requests.${resource}`)]
      if (!isLess(limit, request, resource)) return []
      return [about(one, `limits.${resource} ${limit} is less than requests.${resource} ${request}`, ['spec', 'hard'])]
    }),
  ]
}

function unsoundRange(one: RenderedObject): Finding[] {
  return listAt(one.object(), 'spec.limits').flatMap((range, index) =>
    (['memory', 'cpu'] as const).flatMap((resource) => {
      const [limit, request] = [textAt(range, ['default', resource]), textAt(range, ['defaultRequest', resource])]
      const wrong = ['default', 'defaultRequest', 'max', 'min'].flatMap((key) => {
        const text = textAt(range, [key, resource])
        const why = text === undefined ? undefined : misuse(resource, text)
        return why ? [about(one, `${key}.${resource}: ${text} ${why}`, ['spec', 'limits', index, key])] : []
      })
      if (!isLess(limit, request, resource)) return wrong
      return [
        ...wrong,
        about(one, `default ${resource} ${limit} is less than defaultRequest ${request}`, ['spec', 'limits', index]),
      ]
    }),
  )
}

/** `resources` anywhere below: the API server refuses a limit below its request, and 64 without a unit is 64 bytes. */
function unsoundResources(one: RenderedObject): Finding[] {
  const found = maps(one.object()).filter(({ map: { requests, limits } }) => isFields(requests) || isFields(limits))
  return found.flatMap(({ map: resources, path }) =>
    (['memory', 'cpu'] as const).flatMap((resource) => {
      const [limit, request] = ['limits', 'requests'].map((key) => textAt(resources, [key, resource]))
      const wrong = (['limits', 'requests'] as const).flatMap((key) => {
        const text = textAt(resources, [key, resource])
        const why = text === undefined || text.includes('$') ? undefined : misuse(resource, text)
        return why ? [about(one, `${key}.${resource}: ${text} ${why}`, [...path, key, resource])] : []
      })
      if (!isLess(limit, request, resource)) return wrong
      return [...wrong, about(one, `limits.${resource} ${limit} is less than the request ${request}`, path)]
    }),
  )
}

const amountOf = (text: string | undefined, resource: 'memory' | 'cpu') =>
  resource === 'cpu' ? coresOf(text) : bytesOf(text)

function isLess(limit: string | undefined, request: string | undefined, resource: 'memory' | 'cpu'): boolean {
  const [most, least] = [amountOf(limit, resource), amountOf(request, resource)]
  return most !== undefined && least !== undefined && most < least
}

/** Machines of a cluster: a DaemonSet has a pod on each. */
function nodesOf({ files }: RepositoryView, cluster: string): number {
  const talconfig = files.find(({ path }) => path === `talos/${cluster}/talconfig.yaml`)
  return Math.max(1, listAt(talconfig?.documents()[0], 'nodes').length)
}

type Use = Record<'pods' | 'requests.cpu' | 'requests.memory' | 'limits.memory', number>

/** What a namespace's workloads ask for at one time, of those that are manifests or known from a chart's record. */
function overdrawn(cluster: ClusterView, nodes: number): Finding[] {
  const used = new Map<string, Use>()
  for (const one of [...cluster.objects, ...cluster.recorded]) {
    if (one.namespace === undefined || !/^(Deployment|StatefulSet|DaemonSet)$/.test(one.kind)) continue
    const { pod } = podOf(one)
    const replicas = one.kind === 'DaemonSet' ? nodes : Number(textAt(one.object(), 'spec.replicas') ?? 1)
    const sum = used.get(one.namespace) ?? { pods: 0, 'requests.cpu': 0, 'requests.memory': 0, 'limits.memory': 0 }
    const containers = listAt(pod, 'containers')
    const total = (read: (container: unknown) => number | undefined) =>
      replicas * containers.reduce<number>((all, container) => all + (read(container) ?? 0), 0)
    sum.pods += replicas
    sum['requests.cpu'] += total((container) => coresOf(textAt(container, 'resources.requests.cpu')))
    sum['requests.memory'] += total((container) => bytesOf(textAt(container, 'resources.requests.memory')))
    sum['limits.memory'] += total((container) => bytesOf(textAt(container, 'resources.limits.memory')))
    used.set(one.namespace, sum)
  }
  return ofKind(cluster, 'ResourceQuota').flatMap((one) => {
    const use = used.get(one.namespace ?? '')
    const hard = dig(one.object(), 'spec.hard')
    return Object.entries(use ?? {}).flatMap(([resource, amount]) => {
      const text = textAt(hard, [resource])
      const most = resource === 'pods' ? Number(text) : resource.endsWith('cpu') ? coresOf(text) : bytesOf(text)
      if (text === undefined || most === undefined || amount <= most) return []
      return [
        about(one, `${resource}: ${text} is less than what is known to run there asks for`, ['spec', 'hard', resource]),
      ]
    })
  })
}
