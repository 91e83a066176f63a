/** What selects by labels has to select something: nobody says so when it does not. */
import { dig, isFields, leaves, listAt, maps, type Path, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { once } from '../once.ts'
import { labelsOfKind } from '../operator-objects.ts'
import { about, each, type Rule } from './rule.ts'
import type { ClusterView, RenderedObject } from './view.ts'

export const selectorRules: Rule[] = [
  {
    id: 'selector-word-known',
    demands: 'A label that a policy, a monitor, a Service or a budget selects by has a value that something has',
    why: 'A selector that matches nothing is valid: traffic is denied, nothing is scraped, and nobody says why',
    fix: 'Copy the label from what is to be selected (kubectl get pods --show-labels)',
    source: 'NFR9',
    scope: 'house',
    check: each((cluster) => {
      const known = knownLabels(cluster)
      return cluster.objects
        .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
        .flatMap((one) => [...strangers(one, known), ...strangeKeys(one, known)])
    }),
  },
  {
    id: 'topology-known',
    demands: 'What spreads pods, or keeps them apart, does so over a label that nodes have',
    why: 'Over any other the constraint holds nowhere: pods stay pending, or all of them stand on one node',
    fix: 'topologyKey: kubernetes.io/hostname',
    source: 'Kubernetes',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      cluster.objects
        .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
        .flatMap((one) =>
          leaves(one.object())
            .filter(({ path, value }) => path.at(-1) === 'topologyKey' && !topologies.test(String(value)))
            .map(({ path, value }) => about(one, `${value} is no label of nodes`, path)),
        ),
    ),
  },
]

/** Well-known labels of nodes, and whatever a repository gives its own under a domain. */
const topologies =
  /^(kubernetes\.io\/hostname|topology\.kubernetes\.io\/(zone|region)|[a-z0-9-]+(\.[a-z0-9-]+)+\/[\w.-]+)$/

/** Labels of nodes that every kubelet gives (kubernetes.io/docs/reference/labels-annotations-taints). */
const ofNodes = { 'kubernetes.io/os': ['linux'], 'kubernetes.io/arch': ['amd64', 'arm64'] }

/** `key: value` of whatever there is, or is known to be made; and what a release's values give as labels. */
function knownLabels({ objects, recorded, releases }: ClusterView): ReadonlySet<string> {
  const pairs = (labels: object) => Object.entries(labels).map(([key, value]) => pair(key, value))
  // Of objects, of pods that they make (`template`, `podTemplate`), and what a Kustomization or a chart is told to give.
  const given = (value: unknown) =>
    leaves(value)
      .filter(({ path }) => /labels$/i.test(String(path.at(-2))) && path.at(-2) !== 'matchLabels')
      .map(({ path, value: label }) => pair(String(path.at(-1)), label))
  return new Set([
    ...Object.entries(ofNodes).flatMap(([key, values]) => values.map((value) => pair(key, value))),
    ...[...objects, ...recorded]
      .filter(({ kind }) => kind !== 'CustomResourceDefinition')
      .flatMap((one) => given(one.object())),
    // Of kinds that may be made any time: their operator is there.
    ...resourcesOf({ objects, releases }).flatMap(labelsOfKind).flatMap(pairs),
    ...releases.flatMap(({ release }) => given(release.values)),
  ])
}

/** `<plural>.<group>` of the CRDs that manifests and charts bring. */
export const resourcesOf = ({ objects, releases }: Pick<ClusterView, 'objects' | 'releases'>): string[] => [
  ...objects.filter(({ kind }) => kind === 'CustomResourceDefinition').map(({ name }) => name),
  ...releases.flatMap(({ facts }) => (facts?.crds ?? []).flatMap(({ names }) => names)),
]

/** Cilium writes the source of a label before it (`k8s:app`). */
const pair = (key: string, value: unknown) => `${key.replace(/^k8s:/, '')}: ${value}`

/** Names and labels of namespaces have a rule of their own. */
const elsewhere = /namespace/

/** What applications of whichever repository take on to be let in: the label is the policy's to name, its words are few. */
const isOurs = (key: string, value: unknown) =>
  /^(k8s:)?k8sops\.dev\//.test(key) && /^(client|true|false)$/.test(String(value))

/** Cilium's own, of namespaces and of what is no pod. */
const ofCilium = /^(k8s:)?io\.(kubernetes\.pod\.namespace|cilium\.k8s\.)|^reserved/

const keysIn = once(
  (known: ReadonlySet<string>) => new Set([...known].map((label) => label.slice(0, label.indexOf(': ')))),
)

/** Expressions: keys that something has, and of those that list values each of them. */
function strangeKeys(one: RenderedObject, known: ReadonlySet<string>): Finding[] {
  if (!/^(Cilium|NetworkPolicy$|ServiceMonitor$|PodMonitor$|VM\w+Scrape$|PodDisruptionBudget$)/.test(one.kind))
    return []
  return leaves(one.object())
    .filter(({ path }) => path.at(-1) === 'key' && path.at(-3) === 'matchExpressions')
    .filter(({ value }) => !ofCilium.test(String(value)) && !/^(k8s:)?k8sops\.dev\//.test(String(value)))
    .flatMap(({ path, value }) => {
      const key = String(value)
      if (!keysIn(known).has(key.replace(/^k8s:/, '')))
        return [about(one, `selects by ${key}, which nothing has`, path)]
      const expression = dig(one.object(), path.slice(0, -1))
      if (textAt(expression, 'operator') !== 'In') return []
      return listAt(expression, 'values').flatMap((word, index) =>
        known.has(pair(key, word))
          ? []
          : [about(one, `selects by ${key}: ${word}, which nothing has`, [...path.slice(0, -1), 'values', index])],
      )
    })
}

function strangers(one: RenderedObject, known: ReadonlySet<string>): Finding[] {
  return selectorsOf(one.object(), one.kind === 'Service').flatMap(({ path, labels }) =>
    Object.entries(labels)
      .filter(([key, value]) => !elsewhere.test(key) && !known.has(pair(key, value)) && !isOurs(key, value))
      .map(([key, value]) => about(one, `selects by ${key}: ${value}, which nothing has`, [...path, key])),
  )
}

function selectorsOf(object: unknown, isService: boolean): { path: Path; labels: object }[] {
  const own = isService ? dig(object, 'spec.selector') : undefined
  return [
    ...(isFields(own) ? [{ path: ['spec', 'selector'], labels: own }] : []),
    ...maps(object).flatMap(({ map: { matchLabels }, path }) =>
      isFields(matchLabels) && !(isService && path.length === 0)
        ? [{ path: [...path, 'matchLabels'], labels: matchLabels }]
        : [],
    ),
  ]
}
