/** Who selects pods selects some of those that there are, and the ports that are opened are ports of theirs. */
import { dig, isFields, listAt, listsNamed, mapAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { labelsOfKind } from '../operator-objects.ts'
import { isPolicy } from '../policy/cluster-policies.ts'
import type { Labels, PolicyRule, PortMatch, Requirement, Selector } from '../policy/model.ts'
import { namespacesOf, type PodTemplate, podLabels, podTemplates } from '../policy/pods.ts'
import { readPolicies } from '../policy/read.ts'
import { inNamespace, kubernetesSelector, namespaceKey, requirementsOf, selects } from '../policy/selector.ts'
import { about, each, type Rule } from './rule.ts'
import { resourcesOf } from './selectors.ts'
import type { ClusterView, RenderedObject } from './view.ts'

export const selectedRules: Rule[] = [
  {
    id: 'selector-selects',
    demands:
      'What a policy, a Service or a budget selects are pods that there are, with all of the labels, in the namespace',
    why: 'A selector that matches nothing is valid: traffic is denied, a name leads nowhere, and nobody says why',
    fix: 'Copy the labels from what is to be selected (kubectl get pods --show-labels)',
    source: 'NFR9, Kubernetes',
    scope: 'house',
    check: each((cluster) => {
      const pods = podsOf(cluster)
      return cluster.objects
        .filter(({ release }) => !release)
        .flatMap((one) => [...idlePolicy(one, pods), ...idleSelector(one, pods)])
    }),
  },
  {
    id: 'policy-port-exists',
    demands: 'A port that a policy opens is one of the pods that are to be reached',
    why: 'The port that they really have stays closed',
    fix: 'The number or name of the container’s port: Cilium looks at what is behind a Service',
    source: 'NFR9',
    scope: 'house',
    check: each((cluster) => {
      const pods = podsOf(cluster)
      return cluster.objects.filter((one) => !one.release && isPolicy(one)).flatMap((one) => strangePorts(one, pods))
    }),
  },
  {
    id: 'policy-peer-has-namespace',
    demands: 'A peer of a clusterwide policy that is told by labels of pods is told by its namespace, too',
    why: 'Whoever may make pods in any namespace gives one those labels, and is let in, or is called in the other’s place',
    fix: 'k8s:io.kubernetes.pod.namespace: <the namespace>, or the key with operator Exists when any is meant',
    source: 'NFR9',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      cluster.objects
        .filter(({ release, kind }) => !release && kind === 'CiliumClusterwideNetworkPolicy')
        .flatMap((one) =>
          ['fromEndpoints', 'toEndpoints'].flatMap((field) =>
            listsNamed(field, one.object()).flatMap(({ list, path }) =>
              list.flatMap((peer, index) => {
                const wanted = requirementsOf(peer)
                const own = wanted.filter(({ key }) => !ofOthers.test(key))
                return own.length === 0 || wanted.some(({ key }) => ofNamespaces.test(key))
                  ? []
                  : [about(one, `${told(own)}: in no namespace`, [...path, index])]
              }),
            ),
          ),
        ),
    ),
  },
  {
    id: 'service-target-stated',
    demands: 'A port of a Service says which port of its pods it leads to, and they have it',
    why: 'Without targetPort it is the Service’s own number; nobody listens there, and every connection is refused',
    fix: 'targetPort: <the name of the container’s port>',
    source: 'Kubernetes',
    scope: 'house',
    check: each((cluster) => {
      const pods = podsOf(cluster)
      return cluster.objects
        .filter(({ release, kind, group }) => !release && kind === 'Service' && group === '')
        .flatMap((one) => strangeTargets(one, pods))
    }),
  },
  {
    id: 'workload-selects-itself',
    demands: 'A workload selects the pods that it makes, and spreads those',
    why: 'The API server refuses one that does not; what is spread by labels of others stands wherever there is room',
    fix: 'The labels of spec.template.metadata, in spec.selector and in each topologySpreadConstraint',
    source: 'Kubernetes',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) => cluster.objects.filter(({ release }) => !release).flatMap(strangeSelf)),
  },
]

interface Pod {
  template: PodTemplate
  labels: Labels
}

interface Pods {
  all: Pod[]
  /** Labels of pods that operators make any time, whatever they are called and wherever. */
  ofKinds: Labels[]
}

function podsOf(cluster: ClusterView): Pods {
  const namespaces = namespacesOf(cluster)
  return {
    all: podTemplates(cluster).map((template) => ({
      template,
      labels: podLabels(template, namespaces.get(template.namespace) ?? {}),
    })),
    ofKinds: resourcesOf(cluster)
      .flatMap(labelsOfKind)
      .map((labels) => new Map(Object.entries(labels).map(([key, value]) => [`k8s:${key}`, value]))),
  }
}

/** Labels that whoever wants to be let in takes on, in whichever repository; and what is no pod. */
const ofOthers = /^((k8s|any):)?k8sops\.dev\/|^reserved[:.]/
const ofNamespaces = /io\.(kubernetes\.pod\.namespace|cilium\.k8s\.)/

/** Whether there is somebody, or may be: without a namespace pods of whichever there are. */
function isSomebody(selector: Selector, { all, ofKinds }: Pods): boolean {
  if (selector.some(({ key }) => ofOthers.test(key))) return true
  if (all.some(({ labels }) => selects(selector, labels) !== 'no')) return true
  const own = selector.filter(({ key }) => !ofNamespaces.test(key))
  return own.length > 0 && ofKinds.some((labels) => selects(own, labels) !== 'no')
}

/** `specs[0].egress[1]` as keys. */
const keysOfPlace = (place: string): YamlPath =>
  place.split('.').flatMap((part) => {
    const [, name = part, index] = /^(.*)\[(\d+)\]$/.exec(part) ?? []
    return index === undefined ? [name] : [name, Number(index)]
  })

const told = (selector: Selector): string =>
  selector
    .filter(({ key, operator }) => key !== namespaceKey || operator === 'In')
    .map(
      ({ key, operator, values }) =>
        `${key.replace(/^k8s:/, '')} ${operator}${values.length > 0 ? ` ${values.join('|')}` : ''}`,
    )
    .join(', ')

function rulesOf(one: RenderedObject): PolicyRule[] {
  return isPolicy(one) && isFields(one.object().metadata) ? readPolicies([one.object()]).rules : []
}

function idlePolicy(one: RenderedObject, pods: Pods): Finding[] {
  const findings = new Map<string, Finding>()
  const judge = (selector: Selector, path: YamlPath) => {
    if (isSomebody(selector, pods)) return
    const found = about(one, `selects no pod (${told(selector)})`, path)
    findings.set(JSON.stringify(found), found)
  }
  for (const { at, subject, peers, direction } of rulesOf(one)) {
    const path = keysOfPlace(at)
    judge(subject, [...path.slice(0, -2), 'endpointSelector'])
    for (const peer of peers)
      if (peer.kind === 'endpoints')
        judge(peer.selector, [...path, direction === 'ingress' ? 'fromEndpoints' : 'toEndpoints'])
  }
  return [...findings.values()]
}

/** Of what selects in its own namespace, by labels of Kubernetes. */
function idleSelector(one: RenderedObject, pods: Pods): Finding[] {
  const selector: Requirement[] =
    one.kind === 'Service' && one.group === ''
      ? kubernetesSelector({ matchLabels: mapAt(one.object(), 'spec.selector') })
      : one.kind === 'PodDisruptionBudget'
        ? kubernetesSelector(dig(one.object(), 'spec.selector'))
        : []
  if (selector.length === 0 || one.namespace === undefined) return []
  if (isSomebody([...selector, inNamespace(one.namespace)], pods)) return []
  return [about(one, `selects no pod (${told(selector)})`, ['spec', 'selector'])]
}

function strangePorts(one: RenderedObject, pods: Pods): Finding[] {
  return rulesOf(one).flatMap(({ at, subject, peers, direction, ports }) => {
    if (ports === undefined || (peers.some(({ kind }) => kind !== 'endpoints') && direction === 'egress')) return []
    const selectors =
      direction === 'ingress' ? [subject] : peers.flatMap((peer) => (peer.kind === 'endpoints' ? [peer.selector] : []))
    const reached = selectors.flatMap((selector) => pods.all.filter(({ labels }) => selects(selector, labels) !== 'no'))
    // Of somebody whose ports nobody knows any may be open.
    if (reached.length === 0 || reached.some(({ template }) => template.ports.size === 0)) return []
    const isThere = ({ port, endPort }: PortMatch) =>
      port === undefined ||
      reached.some(({ template }) =>
        typeof port === 'string'
          ? template.ports.has(port)
          : [...template.ports.values()].some((own) => own >= port && own <= (endPort ?? port)),
      )
    return ports
      .filter((port) => !isThere(port))
      .map(({ port }) =>
        about(one, `opens port ${port}, which no pod has that it leads to`, [...keysOfPlace(at), 'toPorts']),
      )
  })
}

function strangeTargets(one: RenderedObject, pods: Pods): Finding[] {
  const selector = mapAt(one.object(), 'spec.selector')
  if (Object.keys(selector).length === 0 || one.namespace === undefined) return []
  const wanted = [...kubernetesSelector({ matchLabels: selector }), inNamespace(one.namespace)]
  const behind = pods.all.filter(({ labels }) => selects(wanted, labels) !== 'no')
  const isKnown = behind.length > 0 && behind.every(({ template }) => template.ports.size > 0)
  return listAt(one.object(), 'spec.ports').flatMap((port, index) => {
    const path = ['spec', 'ports', index]
    const target = textAt(port, 'targetPort')
    if (target === undefined) return [about(one, `port ${textAt(port, 'port')} says no targetPort`, path)]
    const isThere = behind.some(
      ({ template: { ports } }) => ports.has(target) || [...ports.values()].includes(Number(target)),
    )
    return isThere || !isKnown
      ? []
      : [about(one, `leads to port ${target}, which no pod has that it selects`, [...path, 'targetPort'])]
  })
}

const workload = /^(Deployment|StatefulSet|DaemonSet|ReplicaSet|Job)$/

function strangeSelf(one: RenderedObject): Finding[] {
  if (!workload.test(one.kind) && one.kind !== 'CronJob') return []
  const path = one.kind === 'CronJob' ? ['spec', 'jobTemplate', 'spec', 'template'] : ['spec', 'template']
  const template = dig(one.object(), path)
  const labels = new Map(
    Object.entries(mapAt(template, 'metadata.labels')).map(([key, value]) => [`k8s:${key}`, String(value)]),
  )
  const isOwn = (selector: unknown) => selects(kubernetesSelector(selector), labels) !== 'no'
  const spread = listAt(template, 'spec.topologySpreadConstraints').flatMap((constraint, index) =>
    isOwn(dig(constraint, 'labelSelector'))
      ? []
      : [about(one, 'spreads pods of others', [...path, 'spec', 'topologySpreadConstraints', index])],
  )
  const isSelected = one.kind === 'CronJob' || one.kind === 'Job' || isOwn(dig(one.object(), 'spec.selector'))
  return [...spread, ...(isSelected ? [] : [about(one, 'does not select its own pods', ['spec', 'selector'])])]
}
