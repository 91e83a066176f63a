/** Zero trust: everything is denied by default, what is allowed is named, and who is exempt is listed. */
import { dig, type Fields, isFields, leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const policyRules: Rule[] = [
  {
    id: 'policy-peers-exist',
    demands:
      'Namespaces that a policy names exist, labels of namespaces that it selects by are given to one, and protocols are words of Cilium',
    why: 'A policy that selects nobody denies what it was meant to allow, without a word',
    fix: 'Correct the name, or label the namespace',
    source: 'NFR9',
    scope: 'house',
    check: each(strangers),
  },
  {
    id: 'default-deny',
    demands: 'A CiliumClusterwideNetworkPolicy denies both directions to every pod, but those that its labels exempt',
    why: 'A namespace that nobody wrote a policy for would be open',
    fix: 'Have the policy select by labels alone, with enableDefaultDeny for ingress and egress',
    source: 'NFR9',
    scope: 'house',
    check: each(defaultDeny),
  },
  {
    id: 'api-server-allowed',
    demands: 'A namespace with controllers may call the API server',
    why: 'Under the default deny a controller that cannot does nothing, and says so only in its own log',
    fix: 'Label the namespace k8sops.dev/allow-kube-apiserver: "true", or include apps/components/netpol/kube-apiserver',
    source: 'NFR9, docs/patterns.md',
    scope: 'house',
    check: each(withoutApiServer),
  },
  {
    id: 'policy-not-open',
    demands: 'No policy allows everybody: neither entity `all`, nor the whole world without ports, nor an empty peer',
    why: 'It undoes the default deny for what it selects',
    fix: 'Name the peer (endpoints, FQDNs, CIDRs) and the ports',
    source: 'NFR9',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy', 'NetworkPolicy')
        .filter(({ release }) => !release)
        .flatMap(openPeers),
    ),
  },
  {
    id: 'policy-only-allows',
    demands: 'Only the default-deny policies deny; every other says enableDefaultDeny: false for both directions',
    why: 'Without it a policy that opens one thing closes everything else for what it selects, at the latest when it gets its first rule',
    fix: 'enableDefaultDeny: {egress: false, ingress: false}',
    source: 'ADR 0027',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy')
        .filter(({ release, name }) => !release && name !== 'default-deny')
        .flatMap((one) =>
          specsOf(one).flatMap(({ spec, path }) =>
            directions
              .filter((direction) => dig(spec, ['enableDefaultDeny', direction]) !== false)
              .map((direction) => about(one, `denies ${direction} by default`, [...path, 'enableDefaultDeny'])),
          ),
        ),
    ),
  },
  {
    id: 'policy-described',
    demands: 'Every policy says in one sentence what it is for',
    why: 'The audit compares what is applied with this baseline, and a reviewer with what was meant',
    fix: 'description: Who may reach whom, and why',
    source: 'FR24',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy')
        .filter(({ release }) => !release)
        .flatMap((one) =>
          specsOf(one)
            .filter(({ spec }) => !/\s/.test(textAt(spec, 'description') ?? ''))
            .map(({ path }) => about(one, 'has no description', path)),
        ),
    ),
  },
  {
    id: 'policy-port-complete',
    demands: 'A port in a policy says its protocol',
    why: 'Without one every protocol on that port is allowed',
    fix: 'protocol: TCP or UDP',
    source: 'NFR9',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy')
        .filter(({ release }) => !release)
        .flatMap((one) =>
          leaves(one.object())
            .filter(({ path }) => path.at(-1) === 'port' && path.at(-3) === 'ports')
            .filter(({ path }) => dig(one.object(), [...path.slice(0, -1), 'protocol']) === undefined)
            .map(({ path, value }) => about(one, `port ${value} has no protocol`, path)),
        ),
    ),
  },
  {
    id: 'policy-selects',
    demands: 'A policy in a namespace selects something and allows something',
    why: 'A rule with an empty list of peers allows nothing, or everything: read twice before you merge',
    fix: 'Give it endpointSelector, and a peer in each rule',
    source: 'NFR9',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy')
        .filter(({ release }) => !release)
        .filter(
          (one) =>
            !['endpointSelector', 'nodeSelector'].some((key) => dig(one.object(), ['spec', key]) !== undefined) &&
            dig(one.object(), 'specs') === undefined,
        )
        .map((one) => about(one, 'selects nothing: neither endpointSelector nor nodeSelector', ['spec'])),
    ),
  },
]

const namespaceKey = /(^|[.:])io\.kubernetes\.pod\.namespace$/
const namespaceLabel = /io\.cilium\.k8s\.namespace\.labels\.(.+)$/
const builtIn = ['kube-system', 'default', 'kube-public', 'kube-node-lease']

function strangers(cluster: ClusterView): Finding[] {
  const namespaces = ofKind(cluster, 'Namespace')
  const names = new Set([...namespaces.map(({ name }) => name), ...builtIn])
  const labels = new Set(namespaces.flatMap((one) => Object.keys(one.object().metadata.labels ?? {})))
  return ofKind(cluster, 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy')
    .filter(({ release }) => !release)
    .flatMap((one) =>
      leaves(one.object()).flatMap(({ path: where, value }): Finding[] => {
        // The last key that is no index: values of `matchExpressions` stand in a list beside their key.
        const expression = where.indexOf('matchExpressions')
        const key =
          expression > 0 && where.at(-2) === 'values'
            ? (textAt(dig(one.object(), where.slice(0, expression + 2)), 'key') ?? '')
            : String(where.at(-1))
        const label = namespaceLabel.exec(key)?.[1]
        if (namespaceKey.test(key) && !names.has(String(value)))
          return [about(one, `namespace ${value} is not there`, where)]
        if (label && label !== 'kubernetes.io/metadata.name' && !labels.has(label))
          return [about(one, `no namespace has the label ${label}`, where)]
        if (key === 'protocol' && !/^(TCP|UDP|SCTP|ICMP|ICMPv6|ANY|VRRP|IGMP)$/.test(String(value)))
          return [about(one, `${value} is no protocol`, where)]
        return []
      }),
    )
}

function withoutApiServer(cluster: ClusterView): Finding[] {
  const namespaces = new Map(ofKind(cluster, 'Namespace').map((one) => [one.name, one]))
  const allowed = new Set(
    ofKind(cluster, 'CiliumNetworkPolicy')
      .filter((one) =>
        leaves(specsOf(one).map(({ spec }) => spec.egress ?? null)).some(({ value }) => value === 'kube-apiserver'),
      )
      .map(({ namespace }) => namespace),
  )
  // Without the default deny there is nothing to allow.
  if (ofKind(cluster, 'CiliumClusterwideNetworkPolicy').every(({ name }) => name !== 'default-deny')) return []
  const controllers = [...cluster.objects, ...cluster.recorded]
    .filter(
      ({ kind, release }) =>
        release?.file?.includes('/controllers/') && /^(Deployment|DaemonSet|StatefulSet)$/.test(kind),
    )
    .filter((one) => textAt(one.object(), 'spec.template.spec.serviceAccountName') !== undefined)
  const wanting = Map.groupBy(controllers, ({ namespace }) => namespace)
  return [...wanting].flatMap(([name, pods]) => {
    const one = namespaces.get(name ?? '')
    if (!one || /^(kube-system|flux-system)$/.test(one.name) || allowed.has(name)) return []
    if (one.object().metadata.labels?.['k8sops.dev/allow-kube-apiserver'] === 'true') return []
    const message = `${pods.map((pod) => pod.name).join(', ')} may not call the API server`
    return [about(one, message, ['metadata', 'labels'])]
  })
}

const directions = ['ingress', 'egress'] as const

/** A policy has one `spec`, or several `specs`. */
function specsOf(one: RenderedObject): { spec: Fields; path: (string | number)[] }[] {
  const several = listAt(one.object(), 'specs').map((spec, index) => ({ spec, path: ['specs', index] }))
  const all = [{ spec: dig(one.object(), 'spec'), path: ['spec'] as (string | number)[] }, ...several]
  return all.flatMap(({ spec, path }) => (isFields(spec) ? [{ spec, path }] : []))
}

const deniesByDefault = (one: RenderedObject): boolean => {
  const spec = mapAt(one.object(), 'spec')
  return directions.every((direction) => {
    const explicit = dig(spec, ['enableDefaultDeny', direction])
    // Cilium denies a direction by default as soon as a policy has a section for it.
    return explicit === true || (explicit === undefined && spec[direction] !== undefined)
  })
}

function defaultDeny(cluster: ClusterView): Finding[] {
  const all = ofKind(cluster, 'CiliumClusterwideNetworkPolicy')
  const denying = all.filter(deniesByDefault).filter((one) => dig(one.object(), 'spec.endpointSelector') !== undefined)
  if (denying.length > 0) return denying.flatMap(exemptions)
  const entry = cluster.rendered[0]?.kustomization.spec.path ?? ''
  const file = `${entry.replace(/^\.\//, '').replace(/\/flux$/, '')}/infrastructure/kustomization.yaml`
  return [{ file, line: 1, message: 'no CiliumClusterwideNetworkPolicy denies ingress and egress by default' }]
}

/** Exempt is by a label of the namespace, not by a list that grows. */
function exemptions(one: RenderedObject): Finding[] {
  const path = ['spec', 'endpointSelector', 'matchExpressions']
  return listAt(one.object(), path.join('.')).flatMap((expression, index) => {
    const key = textAt(expression, 'key') ?? ''
    const values = listAt(expression, 'values').map(String)
    const allowed = ['kube-system', 'flux-system']
    if (!/io\.kubernetes\.pod\.namespace$/.test(key)) return []
    return values
      .filter((name) => !allowed.includes(name))
      .map((name) => about(one, `exempts namespace ${name} by name`, [...path, index]))
  })
}

/** `0.0.0.0/0`, or an entity or empty selector that stands for everybody. */
export function openPeers(one: RenderedObject): Finding[] {
  if (deniesByDefault(one) && one.kind === 'CiliumClusterwideNetworkPolicy' && !hasPeers(one)) return []
  const rules = specsOf(one).flatMap(({ spec, path }) =>
    directions.flatMap((direction) =>
      listAt(spec, direction).map((rule, index) => ({ rule, index, direction, path: [...path, direction, index] })),
    ),
  )
  return rules.flatMap(({ rule, index, direction, path }) => {
    const ports = listAt(rule, 'toPorts').length > 0 || listAt(rule, 'ports').length > 0
    return leaves(rule).flatMap(({ path: inside, value }): Finding[] => {
      const key = String(inside.find((part) => typeof part === 'string' && part !== 'toPorts') ?? '')
      const isEntity = /^(from|to)Entities$/.test(key)
      const where = [...path, ...inside]
      if (isEntity && value === 'all') return [about(one, `${direction} rule ${index} allows entity all`, where)]
      if (isEntity && value === 'world' && !ports)
        return [about(one, `${direction} rule ${index} allows the world without ports`, where)]
      if (/^(0\.0\.0\.0|::)\/0$/.test(String(value)) && !ports && !inside.includes('except'))
        return [about(one, `${direction} rule ${index} allows ${value} without ports`, where)]
      return []
    })
  })
}

const hasPeers = (one: RenderedObject) =>
  directions.some((direction) => listAt(one.object(), `spec.${direction}`).some((rule) => leaves(rule).length > 0))
