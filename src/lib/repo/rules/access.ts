/** Who may do what: RBAC, namespaces' limits and Pod Security, priorities. */
import { leaves, listAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { filesByPath } from '../source-files.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject, type RepositoryView } from './view.ts'

export const accessRules: Rule[] = [
  {
    id: 'no-cluster-admin',
    demands: 'Nothing is bound to cluster-admin',
    why: 'Whoever breaks into that pod has the cluster. Flux itself gets its rights elsewhere',
    fix: 'Bind a Role with what is needed',
    source: 'NFR14',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ClusterRoleBinding', 'RoleBinding')
        .filter((one) => textAt(one.object(), 'roleRef.name') === 'cluster-admin')
        .filter(({ release }) => !/^flux-(operator|instance)$/.test(release?.name ?? ''))
        .map((one) => about(one, 'binds cluster-admin', ['roleRef', 'name'])),
    ),
  },
  {
    id: 'no-wildcard-role',
    demands: 'A role of ours names verbs and resources',
    why: '`*` is cluster-admin by another name, and takes in every CRD that comes later',
    fix: 'List what is needed',
    source: 'NFR14',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ClusterRole', 'Role')
        .filter(({ release }) => !release)
        .flatMap((one) =>
          listAt(one.object(), 'rules').flatMap((rule, index) =>
            (['verbs', 'resources', 'apiGroups'] as const)
              .filter((key) => listAt(rule, key).includes('*'))
              .map((key) => about(one, `rule ${index} grants every one of ${key}`, ['rules', index, key])),
          ),
        ),
    ),
  },
  {
    id: 'namespace-quota',
    demands: 'Every namespace has a ResourceQuota',
    why: 'One application that runs away must not take the nodes from all others',
    fix: 'Add the quota to base/namespaces/<name>',
    source: 'FR57, design section 8',
    scope: 'house',
    check: each((cluster) => namespacesWithout(cluster, 'ResourceQuota')),
  },
  {
    id: 'namespace-limit-range',
    demands: 'Every namespace has a LimitRange',
    why: 'A container without requests would not be admitted under a quota; the range gives it some',
    fix: 'Add it to base/namespaces/<name>',
    source: 'FR57, design section 8',
    scope: 'house',
    check: each((cluster) => namespacesWithout(cluster, 'LimitRange')),
  },
  {
    id: 'namespace-pod-security',
    demands: 'Every namespace says which Pod Security level it enforces, and why if it is not `restricted`',
    why: 'Without the label Talos’ default (baseline) decides, which nobody chose for it',
    fix: 'pod-security.kubernetes.io/enforce: restricted; a comment at any other level',
    source: 'design section 5',
    scope: 'house',
    looksAt: 'itself',
    check: podSecurity,
  },
  {
    id: 'priority-class',
    demands: 'A priority class that is used exists, has a value, and its name does not begin with system-',
    why: 'Kubernetes refuses a pod with an unknown class, and every class named system-…',
    fix: 'platform-critical, cluster-services or application',
    source: 'FR58, ADR 0016',
    scope: 'any',
    check: each(priorityClasses),
  },
]

/** Exempt by design section 8: node services and Flux must come up when nothing else does. */
const exempt = new Set(['kube-system', 'flux-system', 'default', 'kube-public', 'kube-node-lease'])

function namespacesWithout(cluster: ClusterView, kind: string): Finding[] {
  const covered = new Set(ofKind(cluster, kind).map(({ namespace }) => namespace))
  return ofKind(cluster, 'Namespace')
    .filter(({ name, release }) => !release && !exempt.has(name) && !covered.has(name))
    .map((one) => about(one, `has no ${kind}`, ['metadata', 'name']))
}

const level = 'pod-security.kubernetes.io/enforce'

function podSecurity({ files, clusters }: RepositoryView): Finding[] {
  const byPath = filesByPath(files)
  const isExplained = (one: RenderedObject) => {
    const lines = (byPath.get(one.manifest.file ?? '')?.text ?? '').split('\n')
    const index = lines.findIndex((line) => line.includes(`${level}:`))
    // Behind it, or in the lines above it down to the last key.
    return index >= 0 && (/#/.test(lines[index] ?? '') || /^\s*#/.test(lines[index - 1] ?? ''))
  }
  return clusters.flatMap((cluster) =>
    ofKind(cluster, 'Namespace')
      .filter(({ release }) => !release)
      .flatMap((one): Finding[] => {
        const is = one.object().metadata.labels?.[level]
        const path = ['metadata', 'labels', level]
        if (is === undefined) return [about(one, `has no label ${level}`, path)]
        if (!/^(privileged|baseline|restricted)$/.test(is)) return [about(one, `${level}: ${is} is no level`, path)]
        return is === 'restricted' || isExplained(one)
          ? []
          : [about(one, `enforces ${is} without a comment that says why`, path)]
      })
      .map((finding) => ({ ...finding, cluster: cluster.name })),
  )
}

const builtInClasses = new Set(['system-cluster-critical', 'system-node-critical'])

function priorityClasses(cluster: ClusterView): Finding[] {
  const classes = ofKind(cluster, 'PriorityClass')
  const names = new Set(classes.map(({ name }) => name))
  // In pods, in custom resources that make pods, and in values of charts.
  const used = cluster.objects
    .filter(({ kind }) => kind !== 'CustomResourceDefinition')
    .flatMap((one) =>
      leaves(one.object())
        .filter(({ path, value }) => path.at(-1) === 'priorityClassName' && typeof value === 'string' && value !== '')
        .filter(({ value }) => !names.has(String(value)) && !builtInClasses.has(String(value)))
        .map(({ path, value }) => about(one, `priorityClassName ${value} is not there`, path)),
    )
  return [
    ...used,
    ...classes
      .filter(({ name }) => name.startsWith('system-'))
      .map((one) => about(one, 'begins with system-, which Kubernetes reserves', ['metadata', 'name'])),
    ...classes
      .filter(({ release }) => !release)
      .filter((one) => !Number(textAt(one.object(), 'value')))
      .map((one) => about(one, 'has no value, or 0, which is that of pods without a class', ['value'])),
  ]
}
