/** What selects by labels has to select something: nobody says so when it does not. */
import { dig, isFields, leaves, mapAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import type { ClusterView, KnownRelease, RenderedObject } from './view.ts'

export const selectorRules: Rule[] = [
  {
    id: 'selector-word-known',
    demands: 'A label that a policy, a monitor, a Service or a budget selects by has a value that something has',
    why: 'A selector that matches nothing is valid: traffic is denied, nothing is scraped, and nobody says why',
    fix: 'Copy the label from what is to be selected (kubectl get pods --show-labels)',
    source: 'NFR9',
    scope: 'house',
    check: each((cluster) => {
      const known = knownWords(cluster)
      return cluster.objects
        .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
        .flatMap((one) => strangers(one, known))
    }),
  },
]

/**
 * Labels that operators give (Rook's daemons, CloudNativePG's, Dragonfly's, Strimzi's and Apicurio's pods, Envoy's proxies), that Kubernetes' own charts and nodes have, and
 * of what comes with the observability stack.
 */
const ofOthers =
  /^(rook-ceph-(mon|mgr|osd|mds|rgw|tools|exporter|crashcollector)|instance|primary|replica|proxy|dragonfly|kube-dns|linux|vm(agent|alert|alertmanager|auth|single)|Kafka|app|true|false)$/

/** Label values of whatever is rendered, names of objects, releases and charts, and labels of charts that are known by their record. */
function knownWords({ objects, releases }: ClusterView): ReadonlySet<string> {
  return new Set([
    ...objects.flatMap((one) => [
      one.name,
      ...Object.values(mapAt(one.object(), 'metadata.labels')).map(String),
      ...Object.values(mapAt(one.object(), 'spec.template.metadata.labels')).map(String),
      ...Object.values(mapAt(one.object(), 'spec.inheritedMetadata.labels')).map(String),
    ]),
    ...releases.flatMap(wordsOf),
  ])
}

function wordsOf({ release, facts }: KnownRelease): string[] {
  const recorded = [facts?.workloads ?? [], facts?.services ?? [], facts?.objects ?? []]
  const given = leaves(release.values).flatMap(({ path, value }) =>
    path.some((key) => /labels$/i.test(String(key)) && key !== 'matchLabels') ? [String(value)] : [],
  )
  return [
    release.name,
    release.releaseName,
    release.chartName,
    ...given,
    ...leaves(recorded).flatMap(({ value }) =>
      typeof value === 'string' ? [value, value.replaceAll(/\{(release|fullname)\}/g, release.releaseName)] : [],
    ),
  ]
}

/** Names of namespaces have a rule of their own, and labels of ours are what an application takes on to be let in. */
const elsewhere = /namespace|^(k8s:)?k8sops\.dev\//

function strangers(one: RenderedObject, known: ReadonlySet<string>): Finding[] {
  return selectorsOf(one.object(), one.kind === 'Service').flatMap(({ path, labels }) =>
    Object.entries(labels)
      .filter(([key, value]) => !elsewhere.test(key) && !known.has(String(value)) && !ofOthers.test(String(value)))
      .map(([key, value]) => about(one, `selects by ${key}: ${value}, which nothing has`, [...path, key])),
  )
}

function selectorsOf(
  value: unknown,
  isService: boolean,
  path: (string | number)[] = [],
): { path: (string | number)[]; labels: object }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => selectorsOf(item, false, [...path, index]))
  if (!isFields(value)) return []
  const own = isService ? dig(value, 'spec.selector') : value.matchLabels
  const at = isService ? ['spec', 'selector'] : ['matchLabels']
  return [
    ...(isFields(own) ? [{ path: [...path, ...at], labels: own }] : []),
    ...Object.entries(value).flatMap(([key, below]) => selectorsOf(below, false, [...path, key])),
  ]
}
