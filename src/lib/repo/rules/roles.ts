/** What roles grant, and to whom: words that the API server knows (RBAC of Kubernetes 1.35). */
import { listAt, textAt } from '../fields.ts'
import type { YamlPath } from '../locate.ts'
import type { SchemaTables } from '../schema-tables.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind } from './view.ts'

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
    id: 'role-subject',
    demands: 'A binding names a ServiceAccount with its namespace',
    why: 'The API server refuses it otherwise',
    fix: 'subjects: [{kind: ServiceAccount, name: ..., namespace: ...}]',
    source: 'Kubernetes 1.35, RBAC',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ClusterRoleBinding', 'RoleBinding').flatMap((one) =>
        listAt(one.object(), 'subjects').flatMap((subject, index) =>
          textAt(subject, 'kind') === 'ServiceAccount' && textAt(subject, 'namespace') === undefined
            ? [about(one, `subject ${textAt(subject, 'name')} has no namespace`, ['subjects', index])]
            : [],
        ),
      ),
    ),
  },
]

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
function resourcesByGroup(tables: SchemaTables, { objects, releases }: ClusterView): Map<string, Set<string>> {
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
