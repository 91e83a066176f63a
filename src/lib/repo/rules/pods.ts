/** Pods that can start, Services that lead to one, and states that Flux waits for. */
import { readExpression } from '../cel.ts'
import { dig, leaves, listAt, mapAt, textAt } from '../fields.ts'
import { isGlobal } from '../global-kinds.ts'
import type { Finding } from '../locate.ts'
import { pluralOf } from '../schema-tables.ts'
import { podOf } from './charts.ts'
import { about, aboutKustomization, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject, type RepositoryView } from './view.ts'

export const podRules: Rule[] = [
  {
    id: 'service-port-exists',
    demands: 'A Service sends to a port that the pods have which it selects',
    why: 'Connections are refused, and the Service looks well',
    fix: 'targetPort: the name of the container’s port',
    source: 'Kubernetes',
    scope: 'any',
    check: each(deafServices),
  },
  {
    id: 'pod-wellformed',
    demands:
      'Paths of probes begin with /, their ports are numbers or ports of the container, names in pods are DNS labels, every mount has its volume and every container an image',
    why: 'The API server refuses the pod, long after everybody has looked away from the commit',
    fix: 'kubectl explain pod.spec',
    source: 'Kubernetes',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) => cluster.objects.filter(({ release }) => !release).flatMap(malformedPods)),
  },
  {
    id: 'health-check-exists',
    demands: 'A Kustomization waits for objects that are there, and judges kinds that there are by expressions',
    why: 'It would wait until its timeout, every time, and all that depends on it with it',
    fix: 'Correct apiVersion, kind, name or namespace; an expression of CEL is about status, metadata or spec',
    source: 'Flux',
    scope: 'any',
    check: (view) => each((cluster) => deadChecks(cluster, view))(view),
  },
]

function deafServices(cluster: ClusterView): Finding[] {
  const workloads = ofKind(cluster, 'Deployment', 'StatefulSet', 'DaemonSet').filter(({ release }) => !release)
  return ofKind(cluster, 'Service')
    .filter(({ release }) => !release)
    .flatMap((one) => {
      const selector = Object.entries(mapAt(one.object(), 'spec.selector'))
      const selected = workloads.filter((workload) => {
        const labels = mapAt(workload.object(), 'spec.template.metadata.labels')
        return workload.namespace === one.namespace && selector.every(([key, value]) => labels[key] === value)
      })
      if (selector.length === 0 || selected.length === 0) return []
      const ports = selected.flatMap((workload) =>
        listAt(podOf(workload).pod, 'containers').flatMap((container) =>
          listAt(container, 'ports').flatMap((port) => [textAt(port, 'name'), textAt(port, 'containerPort')]),
        ),
      )
      return listAt(one.object(), 'spec.ports').flatMap((port, index) => {
        const target = textAt(port, 'targetPort') ?? textAt(port, 'port')
        return ports.includes(target) ? [] : [about(one, `no pod has port ${target}`, ['spec', 'ports', index])]
      })
    })
}

const portNames = (container: unknown) => listAt(container, 'ports').map((port) => textAt(port, 'name'))

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

function malformedPods(one: RenderedObject): Finding[] {
  const { pod, path } = podOf(one)
  const volumes = listAt(pod, 'volumes').map((volume) => textAt(volume, 'name'))
  const containers = ['containers', 'initContainers'].flatMap((list) =>
    listAt(pod, list).map((container, index) => ({ container, at: [...path, list, index] })),
  )
  return [
    ...volumes.flatMap((name, index) =>
      label.test(name ?? '') ? [] : [about(one, `${name} is no name of a volume`, [...path, 'volumes', index])],
    ),
    ...containers.flatMap(({ container, at }) => [
      ...(label.test(textAt(container, 'name') ?? '') ? [] : [about(one, 'a container has no name', at)]),
      // No field that the schema requires: the API server asks for it all the same.
      ...(textAt(container, 'image') ? [] : [about(one, 'a container has no image', at)]),
      ...leaves(container)
        .filter(
          ({ path: inside, value }) =>
            inside.at(-2) === 'httpGet' && inside.at(-1) === 'path' && !/^\//.test(String(value)),
        )
        .map(({ path: inside, value }) => about(one, `${value} is no path`, [...at, ...inside])),
      ...leaves(container)
        .filter(({ path: inside }) => /^(httpGet|tcpSocket)$/.test(String(inside.at(-2))) && inside.at(-1) === 'port')
        .filter(({ value }) => typeof value === 'string' && !portNames(container).includes(value))
        .map(({ path: inside, value }) => about(one, `${value} is no port of its container`, [...at, ...inside])),
      ...listAt(container, 'volumeMounts').flatMap((mount, index) => {
        const name = textAt(mount, 'name')
        const wrong = !volumes.includes(name)
          ? `mounts ${name}, which is no volume`
          : !/^\//.test(textAt(mount, 'mountPath') ?? '')
            ? `${textAt(mount, 'mountPath')} is no path`
            : undefined
        return wrong && one.kind !== 'StatefulSet' ? [about(one, wrong, [...at, 'volumeMounts', index])] : []
      }),
    ]),
  ]
}

const partOfObject = /^(apiVersion|kind|metadata|spec|data|status)(\.|$)/

/** CEL over an object: about its parts, and its answer is yes or no. */
function isExpression(text: string): boolean {
  try {
    const { names, isTest } = readExpression(text)
    return isTest && names.length > 0 && names.every((name) => partOfObject.test(name))
  } catch {
    return false
  }
}

function deadChecks(cluster: ClusterView, { schemas }: RepositoryView): Finding[] {
  const made = new Set(
    [...cluster.objects, ...cluster.recorded].map(
      ({ kind, namespace = '', name }) => `${kind} ${isGlobal(kind) ? '' : namespace}/${name}`,
    ),
  )
  // Of a chart that was neither rendered nor recorded nobody knows what it makes.
  const isKnown = cluster.releases.every(({ rendered, facts }) => rendered || facts)
  const charts = cluster.releases.filter(({ rendered }) => !rendered)
  // What a record leaves out of a chart that was not rendered is told by the release's name or values.
  const inCharts = new Set(
    charts.flatMap(({ release }) => [release.releaseName, ...leaves(release.values).map(({ value }) => String(value))]),
  )
  const kinds = new Set(cluster.objects.map(({ kind, group }) => `${kind} ${group}`))
  const spaces = new Set(charts.map(({ release }) => release.releaseNamespace))
  const isKind = (check: unknown) => {
    const kind = textAt(check, 'kind') ?? ''
    const version = textAt(check, 'apiVersion') ?? ''
    const [group = ''] = version.includes('/') ? version.split('/') : ['']
    const own = schemas.get(group)?.roots
    const plural = `${pluralOf(kind)}/${version.split('/').at(-1)}`
    if (own) return plural in own
    // An API that has no table is told by its objects.
    return (
      `${group}/${plural}` in (schemas.get('kubernetes')?.roots ?? {}) || !schemas.size || kinds.has(`${kind} ${group}`)
    )
  }
  return cluster.rendered.flatMap(({ kustomization }) => {
    const says = (message: string, ...path: (string | number)[]) =>
      aboutKustomization(kustomization, message, ['spec', ...path])
    const checks = listAt(kustomization.raw, 'healthChecks').flatMap((check, index) => {
      const [kind, namespace = '', name] = ['kind', 'namespace', 'name'].map((key) => textAt(check, key))
      const isThere =
        made.has(`${kind} ${isGlobal(kind ?? '') ? '' : namespace}/${name}`) ||
        (!isKnown && kind === 'CustomResourceDefinition') ||
        ((isGlobal(kind ?? '') || spaces.has(namespace)) && inCharts.has(name ?? '') && isKind(check))
      return isThere ? [] : [says(`waits for ${kind} ${namespace}/${name}, which is not there`, 'healthChecks', index)]
    })
    const judged = listAt(kustomization.raw, 'healthCheckExprs').flatMap((check, index) => [
      ...(isKind(check)
        ? []
        : [says(`${textAt(check, 'kind')} is no kind of ${textAt(check, 'apiVersion')}`, 'healthCheckExprs', index)]),
      ...(dig(check, 'current') === undefined ? [says('has no expression `current`', 'healthCheckExprs', index)] : []),
      ...['current', 'failed', 'inProgress']
        .map((key) => ({ key, text: textAt(check, key) }))
        .filter(({ text }) => text !== undefined && !isExpression(text))
        .map(({ key, text }) => says(`${text} is no expression`, 'healthCheckExprs', index, key)),
    ])
    return [...checks, ...judged]
  })
}
