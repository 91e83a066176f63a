/** What one object says of another has to be there. */
import { normalPath } from '../build.ts'
import { keysOf } from '../chart-facts.ts'
import { dig, leaves, textAt } from '../fields.ts'
import { nameOf } from '../flux.ts'
import { isGlobal } from '../global-kinds.ts'
import type { Finding } from '../locate.ts'
import { once } from '../once.ts'
import { alwaysThere, namesStorageClass, references } from './reference-table.ts'
import { about, aboutKustomization, aboutRelease, each, identity, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const referenceRules: Rule[] = [
  {
    id: 'renders',
    demands: 'Every Kustomization can be built: its path, its resources, its patches, its variables’ sources',
    why: 'What cannot be built is not applied, and nothing below it either',
    fix: 'k8sops repo render --cluster CLUSTER KUSTOMIZATION shows the same error',
    source: 'Flux',
    scope: 'any',
    looksAt: 'itself',
    check: each(({ rendered }) => rendered.flatMap(({ findings }) => findings)),
  },
  {
    id: 'chart-source-exists',
    demands: 'A HelmRelease’s chart, its source and its values come from this repository',
    why: 'helm-controller waits for ever for a source that nobody declares',
    fix: 'Declare the OCIRepository or HelmRepository beside the release, in its namespace',
    source: 'Flux',
    scope: 'any',
    check: each(({ releaseFindings }) => releaseFindings),
  },
  {
    id: 'namespace-exists',
    demands: 'Objects go to namespaces that are made',
    why: 'A Kustomization does not make the namespace that its objects go to',
    fix: 'Add it to infrastructure/base/namespaces, and to the cluster’s list',
    source: 'Kubernetes',
    scope: 'any',
    check: each(missingNamespaces),
  },
  {
    id: 'one-path-one-consumer',
    demands: 'A path is applied by one Kustomization of a cluster',
    why: 'Whichever of two is removed first prunes what the other applied',
    fix: 'Give each its own overlay',
    source: 'design section 8',
    scope: 'any',
    looksAt: 'itself',
    check: each(({ rendered }) => {
      const key = ({ kustomization: { spec } }: (typeof rendered)[number]) =>
        JSON.stringify([normalPath(spec.path), spec.namePrefix, spec.nameSuffix, spec.targetNamespace])
      return [...Map.groupBy(rendered, key).values()].flatMap(([first, ...others]) =>
        others.map(({ kustomization }) =>
          aboutKustomization(
            kustomization,
            `${kustomization.spec.path} is applied by ${first?.kustomization.name}, too`,
            ['spec', 'path'],
          ),
        ),
      )
    }),
  },
  {
    id: 'one-object-one-owner',
    demands: 'An object is applied by one Kustomization',
    why: 'Two that apply the same fight for ever, and either prunes it for both',
    fix: 'Leave it to one of them',
    source: 'Flux',
    scope: 'any',
    check: each(({ objects }) => {
      const owned = objects.filter(({ release }) => !release)
      return [...Map.groupBy(owned, (one) => `${one.group} ${identity(one)}`).values()].flatMap(([first, ...others]) =>
        others.map((one) =>
          about(one, `is applied by Kustomizations ${first?.kustomization.name} and ${one.kustomization.name}`),
        ),
      )
    }),
  },
  {
    id: 'reference-exists',
    demands: 'Gateways, stores, issuers, classes, Secrets’ sources and backup targets that an object names are there',
    why: 'The object would wait for ever, and most controllers say so only in a status',
    fix: 'Correct the name, or add what it names',
    source: 'design section 8',
    scope: 'any',
    check: each(danglingReferences),
  },
]

/** Made by Kubernetes itself, or before Flux runs. */
const builtIn = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'default'])

function missingNamespaces(cluster: ClusterView): Finding[] {
  const made = new Set(ofKind(cluster, 'Namespace').map(({ name }) => name))
  const isThere = (name: string | undefined) => name === undefined || made.has(name) || builtIn.has(name)
  // A chart may make namespaces of its own.
  const creates = (one: RenderedObject) => dig(one.object(), 'spec.install.createNamespace') === true
  const creators = new Set(
    ofKind(cluster, 'HelmRelease')
      .filter(creates)
      .map(nameOf as (one: RenderedObject) => string),
  )
  const own = cluster.objects.filter(({ release }) => !release)
  return [
    ...own
      .filter(({ namespace, kind }) => namespace === undefined && !isGlobal(kind))
      .map((one) => about(one, 'is in no namespace', ['metadata'])),
    ...own
      .filter(({ kind }) => kind !== 'CustomResourceDefinition')
      .flatMap((one) =>
        leaves(one.object())
          .filter(
            ({ path, value }) =>
              isNamespaceKey(path) && typeof value === 'string' && !value.includes('{{') && !isThere(value),
          )
          .map(({ path, value }) => about(one, `namespace ${value} is not made`, path)),
      ),
    ...cluster.releases
      .filter(
        ({ release }) =>
          !isThere(release.releaseNamespace) && isThere(release.namespace) && !creators.has(nameOf(release)),
      )
      .map(({ release }) =>
        aboutRelease(release, `namespace ${release.releaseNamespace} is not made`, ['spec', 'targetNamespace']),
      ),
  ]
}

/** `namespace`, and what names one in a StorageClass or in values; not the words of a label or a query. */
function isNamespaceKey(path: (string | number)[]): boolean {
  const isLabel = path.some((key) => /labels$|annotations$|selector|substitute|^data$/i.test(String(key)))
  return !isLabel && /^(targetN|releaseN|storageN|n)amespace$|-namespace$/.test(String(path.at(-1)))
}

/** One object's word for another. */
export interface ObjectReference {
  one: RenderedObject
  /** Kinds that it may be. */
  kinds: string[]
  name: string
  /** As the reference says, else the object's own. */
  namespace: string | undefined
  path: (string | number)[]
  /** Its operator looks for it in other namespaces as well. */
  anywhere?: boolean
}

/** What objects of ours name, by the table above; a kind that the table does not know is left out. */
export const referencesOf = once((cluster: ClusterView): readonly ObjectReference[] => {
  const all = [...cluster.objects, ...cluster.recorded].filter(({ kind }) => kind !== 'CustomResourceDefinition')
  const byKind = Map.groupBy(all, ({ kind }) => kind)
  return [
    ...all.flatMap(classesNamed),
    ...references.flatMap(({ from, to, path, kind, usual, anywhere = false }) => {
      const [name = '', ...group] = from.split('.')
      return (byKind.get(name) ?? [])
        .filter((one) => group.length === 0 || one.group === group.join('.'))
        .flatMap((one) =>
          at(one.object(), keysOf(path)).flatMap((named) => {
            const stated = kind ? (textAt(named.beside, kind) ?? usual) : undefined
            if (stated !== undefined && !to.includes(stated)) return []
            const namespace = textAt(named.beside, 'namespace') ?? one.namespace
            const kinds = stated === undefined ? to : [stated]
            return [{ one, kinds, name: named.name, namespace, path: named.path, anywhere }]
          }),
        )
    }),
  ]
})

/** StorageClasses are told by the key, wherever it stands. */
function classesNamed(one: RenderedObject): ObjectReference[] {
  return leaves(one.object())
    .filter(({ path, value }) => namesStorageClass.test(String(path.at(-1))) && /^[a-z0-9]/.test(String(value)))
    .map(({ path, value }) => ({ one, kinds: ['StorageClass'], name: String(value), namespace: undefined, path }))
}

/** As RBAC and admission policies call a ServiceAccount. Those of Kubernetes' own controllers are in no manifest. */
const accountName = /\bsystem:serviceaccount:(?!kube-system:)([a-z0-9-]+):([a-z0-9.-]+)/g

/** Who may do something may come later than what says so. */
function accountsNamed(one: RenderedObject): ObjectReference[] {
  return leaves(one.object()).flatMap(({ path, value }) => {
    if (typeof value !== 'string' || !value.includes('system:serviceaccount:')) return []
    return [...value.matchAll(accountName)].map(([, namespace, name = '']) => ({
      one,
      kinds: ['ServiceAccount'],
      name,
      namespace,
      path,
    }))
  })
}

function danglingReferences(cluster: ClusterView): Finding[] {
  const places = Map.groupBy([...cluster.objects, ...cluster.recorded], ({ kind, name }) => `${kind} ${name}`)
  // A chart that could not be rendered may make it: then its values most likely name it.
  const inValues = new Set(
    cluster.releases
      .filter(({ rendered }) => !rendered)
      .flatMap(({ release }) => [
        release.releaseName,
        ...leaves(release.values)
          .filter(({ path }) => !namesStorageClass.test(String(path.at(-1))))
          .map(({ value }) => String(value)),
      ]),
  )
  // Of a chart that was neither rendered nor recorded nobody knows what it makes.
  const unknown = cluster.releases.filter(({ rendered, facts }) => !rendered && !facts).map(({ release }) => release)
  const mayBeOfChart = (kind: string, namespace: string | undefined) =>
    isGlobal(kind)
      ? unknown.length > 0
      : /^(Service|ServiceAccount|Role)$/.test(kind) &&
        unknown.some((release) => release.releaseNamespace === namespace)
  const wrong = ({ kinds, name, namespace, anywhere }: ObjectReference): string | undefined => {
    if (name === '*' || kinds.some((kind) => alwaysThere[kind]?.test(name))) return undefined
    const found = kinds.flatMap((kind) => places.get(`${kind} ${name}`) ?? [])
    // Renderers write a namespace on what has none, too.
    const isThere = (one: RenderedObject) =>
      anywhere || isGlobal(one.kind) || one.namespace === undefined || one.namespace === namespace
    if (found.some(isThere) || (found.length === 0 && kinds.some((kind) => mayBeOfChart(kind, namespace))))
      return undefined
    if (found.length === 0) return inValues.has(name) ? undefined : 'which is not there'
    return `which is in namespace ${found[0]?.namespace}, not ${namespace ?? 'named'}`
  }
  return [
    ...strangeKinds(cluster),
    ...[...referencesOf(cluster), ...cluster.objects.flatMap(accountsNamed)].flatMap((reference) => {
      const { one, kinds, name, path } = reference
      const why = wrong(reference)
      return why ? [about(one, `refers to ${kinds.join(' or ')} ${name}, ${why}`, path)] : []
    }),
  ]
}

/** A kind that the table does not know is another controller's, if it is one at all. */
const strangeKinds = (cluster: ClusterView): Finding[] =>
  references.flatMap(({ from, path, kind }) =>
    kind === undefined
      ? []
      : ofKind(cluster, from).flatMap((one) =>
          at(one.object(), keysOf(path)).flatMap((named) => {
            const stated = textAt(named.beside, kind)
            return stated === undefined || /^[A-Z][A-Za-z0-9]+$/.test(stated)
              ? []
              : [about(one, `refers to a ${stated}, which is no kind`, named.path)]
          }),
        ),
  )

interface Named {
  name: string
  path: (string | number)[]
  beside: unknown
}

function at(value: unknown, keys: string[], path: (string | number)[] = []): Named[] {
  const [key = '', ...rest] = keys
  if (key === '*') {
    return Array.isArray(value) ? value.flatMap((item, index) => at(item, rest, [...path, index])) : []
  }
  const below = dig(value, [key])
  if (rest.length > 0) return at(below, rest, [...path, key])
  return typeof below === 'string' ? [{ name: below, path: [...path, key], beside: value }] : []
}
