/** What roles grant, and to whom: words that the API server knows (RBAC of Kubernetes 1.35). */
import { listAt, textAt } from '../fields.ts'
import { isGlobal } from '../global-kinds.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { madeBy } from '../makes.ts'
import { pluralOf, type SchemaTables } from '../schema-tables.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const roleRules: Rule[] = [
  {
    id: 'role-grants',
    demands: 'A rule of a role has verbs and resources, and they are some that there are',
    why: 'The API server refuses a rule without resources, and takes one with a name that nothing has: it grants nothing',
    fix: 'kubectl api-resources -o wide has groups, names and verbs; a subresource stands behind a slash, pods/log',
    source: 'Kubernetes 1.35, RBAC',
    scope: 'any',
    check: (view) =>
      each((cluster) => {
        const known = resourcesByGroup(view.schemas, cluster)
        return ofKind(cluster, 'ClusterRole', 'Role')
          .filter(({ release }) => !release)
          .flatMap((one) =>
            listAt(one.object(), 'rules').flatMap((rule, index) =>
              strange(rule, known).map(({ message, path }) => about(one, message, ['rules', index, ...path])),
            ),
          )
      })(view),
  },
  {
    id: 'role-names-exist',
    demands:
      'What a rule of a role grants by name is there: as a manifest, of a chart, or as the Secret that something makes',
    why: 'A name that nothing has grants nothing, and says so only to whoever is refused',
    fix: 'Correct resourceNames; a subresource of a Service is named with its port, name:http',
    source: 'Kubernetes 1.35, RBAC',
    scope: 'any',
    check: each(namelessGrants),
  },
  {
    id: 'role-binding',
    demands: 'A binding gives a role to users, groups and ServiceAccounts, these with their namespace',
    why: 'The API server refuses it otherwise',
    fix: 'roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: ...}, subjects: [{kind: ServiceAccount, name: ..., namespace: ...}]',
    source: 'Kubernetes 1.35, RBAC',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ClusterRoleBinding', 'RoleBinding').flatMap((one) => [
        ...notARole(one),
        ...listAt(one.object(), 'subjects').flatMap((subject, index) => {
          const [kind, name] = [textAt(subject, 'kind') ?? '', textAt(subject, 'name')]
          if (!/^(User|Group|ServiceAccount)$/.test(kind))
            return [about(one, `subject ${name}: a ${kind} can be given no role`, ['subjects', index, 'kind'])]
          return kind === 'ServiceAccount' && textAt(subject, 'namespace') === undefined
            ? [about(one, `subject ${name} has no namespace`, ['subjects', index])]
            : []
        }),
      ]),
    ),
  },
]

function notARole(one: RenderedObject): Finding[] {
  const [group, kind] = ['apiGroup', 'kind'].map((key) => textAt(one.object(), ['roleRef', key]))
  const kinds = one.kind === 'RoleBinding' ? ['Role', 'ClusterRole'] : ['ClusterRole']
  return [
    ...(group === 'rbac.authorization.k8s.io' ? [] : [about(one, `${group} has no roles`, ['roleRef', 'apiGroup'])]),
    ...(kinds.includes(kind ?? '') ? [] : [about(one, `${kind} is none of ${kinds.join(', ')}`, ['roleRef', 'kind'])]),
  ]
}

/** Made while a cluster runs, by whoever may create them; of these a name says nothing. */
const madeAnyTime = /^(leases|endpoints|endpointslices|events|pods|nodes|replicasets|jobs|persistentvolumes)$/

function namelessGrants(cluster: ClusterView): Finding[] {
  // Of a chart that was neither rendered nor recorded nobody knows what it makes.
  if (cluster.releases.some(({ rendered, facts }) => !rendered && !facts)) return []
  const all = [...cluster.objects, ...cluster.recorded]
  const made = new Set([
    ...all.map(({ kind, namespace, name }) => `${pluralOf(kind)} ${isGlobal(kind) ? '' : (namespace ?? '')}/${name}`),
    ...all.flatMap(madeBy).map(({ kind, namespace, name }) => `${pluralOf(kind)} ${namespace ?? ''}/${name}`),
    ...cluster.releases.flatMap(({ facts }) =>
      (facts?.crds ?? []).flatMap((crd) => crd.names).map((name) => `customresourcedefinitions /${name}`),
    ),
  ])
  const anywhere = new Set([...made].map((one) => one.replace(/ .*\//, ' ')))
  return ofKind(cluster, 'ClusterRole', 'Role')
    .filter(({ release }) => !release)
    .flatMap((one) => {
      const rules = listAt(one.object(), 'rules')
      const creates = new Set(
        rules.filter((rule) => listAt(rule, 'verbs').includes('create')).flatMap((rule) => listAt(rule, 'resources')),
      )
      return rules.flatMap((rule, index) => {
        const resources = listAt(rule, 'resources').map((resource) => String(resource).split('/')[0] ?? '')
        if (resources.length === 0 || resources.some((resource) => madeAnyTime.test(resource) || creates.has(resource)))
          return []
        return listAt(rule, 'resourceNames').flatMap((word, position) => {
          const [name = ''] = String(word).split(':')
          const isThere = resources.some((resource) =>
            [String(word), name].some((candidate) =>
              one.kind === 'Role' && one.namespace !== undefined
                ? made.has(`${resource} ${one.namespace}/${candidate}`)
                : anywhere.has(`${resource} ${candidate}`),
            ),
          )
          if (isThere) return []
          return [
            about(one, `no ${resources.join(' or ')} is called ${word}`, ['rules', index, 'resourceNames', position]),
          ]
        })
      })
    })
}

const verbs = new Set([
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
  'bind',
  'escalate',
  'impersonate',
  'approve',
  'sign',
  'attest',
  'use',
  '*',
])

/** Groups whose names have no dot: all others are somebody's domain. */
const short = new Set(['', 'apps', 'autoscaling', 'batch', 'extensions', 'policy', '*'])

/** Granted without being kept anywhere: asked for, impersonated, signed for. */
const unkept = ['/users', '/groups', 'authentication.k8s.io/tokenreviews', 'certificates.k8s.io/signers']

/** Which resources a group has; of one that is not in it nobody knows. */
export function resourcesByGroup(tables: SchemaTables, { objects, releases }: ClusterView): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>()
  const add = (group: string, resource: string) =>
    known.set(group, (known.get(group) ?? new Set<string>()).add(resource))
  for (const root of [...Object.keys(tables.get('kubernetes')?.roots ?? {}), ...unkept]) {
    const [group = '', resource = ''] = root.split('/')
    add(group, resource)
  }
  const definitions = objects.filter(({ kind }) => kind === 'CustomResourceDefinition').map(({ name }) => name)
  for (const name of [
    ...definitions,
    ...releases.flatMap(({ facts }) => (facts?.crds ?? []).flatMap((crd) => crd.names)),
  ]) {
    const [resource = '', ...group] = name.split('.')
    add(group.join('.'), resource)
  }
  return known
}

function strange(
  rule: unknown,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): { message: string; path: YamlPath }[] {
  const words = (key: string) => listAt(rule, key).map(String)
  const [groups, resources] = [words('apiGroups'), words('resources')]
  const found: { message: string; path: YamlPath }[] = []
  if (words('verbs').length === 0) found.push({ message: 'grants no verb', path: [] })
  for (const [index, verb] of words('verbs').entries())
    if (!verbs.has(verb)) found.push({ message: `${verb} is no verb`, path: ['verbs', index] })
  if (words('nonResourceURLs').length > 0) return found
  if (groups.length === 0) found.push({ message: 'names no API group', path: [] })
  if (resources.length === 0) found.push({ message: 'names no resource', path: [] })
  for (const [index, group] of groups.entries())
    if (!group.includes('.') && !short.has(group))
      found.push({ message: `${group} is no API group`, path: ['apiGroups', index] })
  if (!groups.every((group) => known.has(group))) return found
  for (const [index, resource] of resources.entries()) {
    const [name = ''] = resource.split('/')
    if (name !== '*' && !groups.some((group) => known.get(group)?.has(name)))
      found.push({ message: `no API group of this rule has ${name}`, path: ['resources', index] })
  }
  return found
}
