/** What is taken from Secrets and ConfigMaps has to be made, and what External Secrets makes has to be taken. */
import { dig, type Leaf, leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { keysOfExternalSecret, type Made, madeAtBootstrap, madeBy } from '../makes.ts'
import { once } from '../once.ts'
import type { SchemaTables } from '../schema-tables.ts'
import { type Take, takesOf } from '../takes.ts'
import { anyOf, literal } from '../words.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject, type RepositoryView } from './view.ts'

const eachWith =
  (check: (cluster: ClusterView, view: RepositoryView) => Finding[]): Rule['check'] =>
  (view) =>
    each((cluster) => check(cluster, view))(view)

export const takenRules: Rule[] = [
  {
    id: 'taken-object-exists',
    demands:
      'Secrets and ConfigMaps that something takes from are made, with the key that it takes: by a manifest, an ExternalSecret, a Certificate, an operator, or bootstrap',
    why: 'A pod waits for it for ever, a controller says so in a status that nobody reads',
    fix: 'Correct the name, the key or the namespace, or make what it names',
    source: 'Kubernetes',
    scope: 'house',
    check: eachWith(missing),
  },
  {
    id: 'secret-is-taken',
    demands:
      'Something takes from the Secret of an ExternalSecret or a Certificate, and each of the keys that were chosen for it',
    why: 'A secret that nobody reads is one more that can leak; and mostly its reader means it by another name',
    fix: 'Correct the name or the key on either side, or leave it out',
    source: 'NFR8, External Secrets',
    scope: 'house',
    check: eachWith(idle),
  },
  {
    id: 'secret-template-complete',
    demands: 'A template of an ExternalSecret uses the fields that it fetches, and fetches those that it uses',
    why: 'A field that is not fetched is an error at the first refresh, in a status that nobody reads',
    fix: 'The same word in data[].secretKey and in the template',
    source: 'External Secrets',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) => ofKind(cluster, 'ExternalSecret').flatMap(incompleteTemplate)),
  },
]

export interface Taking extends Take {
  one: RenderedObject
}

const takingsBy = once((schemas: SchemaTables) =>
  once((cluster: ClusterView): readonly Taking[] =>
    [...cluster.objects, ...cluster.recorded]
      .filter(({ kind }) => kind !== 'CustomResourceDefinition')
      .flatMap((one) =>
        takesOf(one, schemas).map((take) => ({ ...take, one, namespace: namespaceOf(take, one, cluster) })),
      ),
  ),
)

/** What every object takes, each in the namespace that it means. */
export const takings = (cluster: ClusterView, schemas: SchemaTables): readonly Taking[] => takingsBy(schemas)(cluster)

/** Of an object without a namespace cert-manager takes from its own (`--cluster-resource-namespace`); undefined is any. */
function namespaceOf(take: Take, one: RenderedObject, { releases }: ClusterView): string | undefined {
  if (take.namespace !== undefined) return take.namespace
  if (one.kind === 'HelmRelease') return textAt(one.object(), 'spec.targetNamespace') ?? one.namespace
  if (one.kind === 'ClusterIssuer')
    return releases.find(({ release }) => release.chartName === 'cert-manager')?.release.releaseNamespace
  return one.namespace
}

function everythingMade(cluster: ClusterView, { files }: RepositoryView): Made[] {
  return [...[...cluster.objects, ...cluster.recorded].flatMap(madeBy), ...madeAtBootstrap(files, cluster.name)]
}

const isOf = (take: Pick<Take, 'kind' | 'name' | 'namespace'>, made: Made) =>
  take.kind === made.kind &&
  take.name === made.name &&
  (take.namespace === undefined || made.namespace === undefined || take.namespace === made.namespace)

function missing(cluster: ClusterView, view: RepositoryView): Finding[] {
  const made = Map.groupBy(everythingMade(cluster, view), ({ name }) => name)
  const charts = new Set(cluster.releases.filter(({ rendered }) => !rendered).map(({ release }) => release.releaseName))
  return takings(cluster, view.schemas)
    .filter(({ one }) => !one.release)
    .flatMap(({ one, path, ...take }): Finding[] => {
      if (take.name === undefined) return [about(one, `${String(path.at(-1))} names nothing`, path)]
      const found = (made.get(take.name) ?? []).filter((candidate) => isOf(take, candidate))
      if (found.length === 0)
        return charts.has(take.name) ? [] : [about(one, `takes from ${take.name}, which nothing makes`, path)]
      if (take.key === undefined || found.some(({ keys }) => !keys || keys.has(take.key ?? ''))) return []
      return [about(one, `takes ${take.key} from ${take.name}, which has no such key`, path)]
    })
}

/** Keys that an API reads of a Secret that it is given whole, by the field that names it: needed ones first, then others. */
const readWhole: { field: RegExp; kind: RegExp; needs: string[]; may: RegExp }[] = [
  // notification-controller 1.9, docs/spec.
  { kind: /^Receiver$/, field: /^spec\.secretRef$/, needs: ['token'], may: /^$/ },
  {
    kind: /^Provider$/,
    field: /^spec\.secretRef$/,
    needs: [],
    may: /^(token|address|headers|username|password|githubApp\w+)$/,
  },
  // volsync 0.15, docs/usage/restic; the rest are variables of restic's backends.
  {
    kind: /^Replication(Source|Destination)$/,
    field: /^spec\.restic\.repository$/,
    needs: ['RESTIC_REPOSITORY', 'RESTIC_PASSWORD'],
    may: /^(AWS|RESTIC|B2|AZURE|GOOGLE|ST|OS)_[A-Z0-9_]+$/,
  },
  // envoyproxy/gateway 1.7, api/v1alpha1/oidc_types.go.
  { kind: /^SecurityPolicy$/, field: /^spec\.oidc\.clientSecret$/, needs: ['client-secret'], may: /^$/ },
  // source-controller 1.8, docs/spec.
  {
    kind: /^(GitRepository|HelmRepository|OCIRepository)$/,
    field: /^spec\.secretRef$/,
    needs: [],
    may: /^(identity(\.pub)?|known_hosts|username|password|bearerToken|githubApp\w+|(ca|tls)\.(crt|key)|\.dockerconfigjson)$/,
  },
  // cloudnative-pg 1.28: Secrets of type kubernetes.io/basic-auth.
  {
    kind: /^(Cluster|DatabaseRole)$/,
    field: /(passwordSecret|superuserSecret)$/,
    needs: ['username', 'password'],
    may: /^$/,
  },
]

function idle(cluster: ClusterView, { schemas }: RepositoryView): Finding[] {
  const all = Map.groupBy(takings(cluster, schemas), ({ name }) => name)
  const made = ofKind(cluster, 'ExternalSecret', 'Certificate.cert-manager.io')
    .filter(({ release }) => !release)
    .map((one) => {
      const target = one.kind === 'Certificate' ? 'spec.secretName' : 'spec.target.name'
      return { one, target, name: textAt(one.object(), target) ?? one.name }
    })
  const texts = textsWith(
    cluster,
    made.map(({ name }) => name),
  )
  return made.flatMap(({ one, target, name }): Finding[] => {
    const isCertificate = one.kind === 'Certificate'
    const takes = (all.get(name) ?? []).filter((take) => isOf(take, { kind: 'Secret', name, namespace: one.namespace }))
    // A chart may want the name as plain text.
    const isMentioned = mentions(texts, name, takes)
    if (takes.length === 0 && !isMentioned)
      return [about(one, `nothing takes from Secret ${name}`, target.split('.').slice(0, 2))]
    const keys = isCertificate ? undefined : keysOfExternalSecret(one.object())
    if (!keys || isMentioned) return []
    return [
      ...takes.flatMap((take) =>
        lacking(take, keys).map((key) =>
          about(one, `${key} is missing, which ${take.one.kind} ${take.one.name} reads`, ['spec']),
        ),
      ),
      ...keys
        .filter((key) => !takes.some((take) => reads(take, key)))
        .map((key) => about(one, `nothing takes ${key} from Secret ${name}`, ['spec', 'data'])),
    ]
  })
}

const wholeReader = ({ one, path }: Taking) =>
  readWhole.find(({ kind, field }) => kind.test(one.kind) && field.test(path.join('.')))

function reads(take: Taking, key: string): boolean {
  if (take.key !== undefined) return take.key === key
  const reader = wholeReader(take)
  return !reader || reader.needs.includes(key) || reader.may.test(key)
}

const lacking = (take: Taking, keys: string[]): string[] =>
  take.key === undefined ? (wholeReader(take)?.needs ?? []).filter((key) => !keys.includes(key)) : []

interface Text {
  one: RenderedObject
  path: Leaf['path']
  value: string
}

/** Texts in which one of the names stands: of values of releases, and of what others are told. */
function textsWith({ objects }: ClusterView, names: readonly string[]): Text[] {
  const any = anyOf(new Set(names))
  return objects
    .filter(({ kind, release }) => kind !== 'ExternalSecret' && kind !== 'Certificate' && !release)
    .flatMap((one) =>
      leaves(one.object()).flatMap(({ path, value }) =>
        typeof value === 'string' && any.test(value) && isTold(one, path) ? [{ one, path, value }] : [],
      ),
    )
}

const isTold = ({ kind }: RenderedObject, [top, next]: Leaf['path']): boolean =>
  kind === 'HelmRelease' ? top === 'spec' && next === 'values' : top === 'spec' || top === 'data'

/** Whether a release's values have the name as a text of its own (`existingSecret: grafana`), or somebody's text has it as a word. */
function mentions(texts: readonly Text[], name: string, takes: readonly Taking[]): boolean {
  const word = new RegExp(`(^|[^\\w.-])${literal(name)}($|[^\\w.-])`)
  const counted = new Set(takes.map(({ one, path }) => `${one.manifest.file} ${one.kind} ${path.join('.')}`))
  return texts.some(({ one, path, value }) => {
    const isValues = one.kind === 'HelmRelease'
    if (!(isValues ? value === name : value.includes(name) && word.test(value))) return false
    if (isValues && !/secret/i.test(path.join('.'))) return false
    return ![path, path.slice(0, -1)].some((at) => counted.has(`${one.manifest.file} ${one.kind} ${at.join('.')}`))
  })
}

function incompleteTemplate(one: RenderedObject): Finding[] {
  const template = mapAt(one.object(), 'spec.target.template')
  const texts = Object.values(mapAt(template, 'data')).map(String)
  const fetched = listAt(one.object(), 'spec.data').map((item) => textAt(item, 'secretKey') ?? '')
  if (
    texts.length === 0 ||
    listAt(one.object(), 'spec.dataFrom').length > 0 ||
    dig(template, 'mergePolicy') === 'Merge'
  )
    return []
  const used = new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/\{\{(.*?)\}\}/gs)].flatMap(([, inside = '']) =>
        [...inside.matchAll(/(?<![\w)"])\.([A-Za-z_]\w*)|index \. "([^"]+)"/g)].map(
          ([, field, indexed]) => field ?? indexed ?? '',
        ),
      ),
    ),
  )
  return [
    ...[...used]
      .filter((word) => !fetched.includes(word))
      .map((word) =>
        about(one, `the template uses ${word}, which is not fetched`, ['spec', 'target', 'template', 'data']),
      ),
    ...fetched
      .filter((word) => !used.has(word))
      .map((word) => about(one, `${word} is fetched, and the template does not use it`, ['spec', 'data'])),
  ]
}
