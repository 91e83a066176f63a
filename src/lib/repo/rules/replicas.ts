/** What is to survive the loss of a node runs more than once. */
import { dig, isFields, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { mergeValues } from '../releases.ts'
import { matches } from './monitors.ts'
import { about, aboutRelease, each, type Rule } from './rule.ts'
import { type ClusterView, type KnownRelease, ofKind } from './view.ts'

export const replicaRules: Rule[] = [
  {
    id: 'spread-has-replicas',
    demands: 'What has a disruption budget, or is spread over nodes, has two replicas or more, and says so',
    why: 'Of one pod a budget either stops every drain or protects nothing, and there is nothing to spread',
    fix: 'replicas: 2, or neither budget nor spreading',
    source: 'NFR21, Kubernetes',
    scope: 'house',
    check: each((cluster) => [...cluster.releases.flatMap(aloneInChart), ...aloneInManifests(cluster)]),
  },
]

const isMany = (count: string | undefined) => count !== undefined && Number(count) > 1

/** Keys beside a part's budget or spreading that say how many there are. */
const counts = ['replicas', 'replicaCount', 'instances']
const budgets = ['podDisruptionBudget', 'pdb']

function aloneInChart({ release, facts }: KnownRelease): Finding[] {
  const values = mergeValues(facts?.defaults ?? {}, release.values)
  const known = new Set(facts?.values ?? [])
  const inside = (part: unknown, path: string[]): Finding[] => {
    if (!isFields(part)) return []
    const budget = budgets.map((key) => part[key]).find(isFields)
    const isGuarded =
      budget !== undefined &&
      budget.enabled !== false &&
      (budget.maxUnavailable !== undefined || budget.minAvailable !== undefined)
    const isSpread = listAt(part, 'topologySpreadConstraints').length > 0
    // A chart that counts elsewhere is not judged.
    const key = counts.find((word) => known.has([...path, word].join('.')))
    const found =
      (isGuarded || isSpread) && key !== undefined && !isMany(textAt(dig(values, path), key))
        ? [
            aboutRelease(
              release,
              `${[...path, key].join('.')} is ${textAt(dig(values, path), key) ?? 'unset'}, beside ${isGuarded ? 'a disruption budget' : 'topologySpreadConstraints'}`,
              ['spec', 'values', ...path],
            ),
          ]
        : []
    return [...found, ...Object.entries(part).flatMap(([word, below]) => inside(below, [...path, word]))]
  }
  return inside(release.values, [])
}

/** Kinds with a pod and a number of them: where both stand. */
const parts: Record<string, { pod: string[]; count: string[] }> = {
  Deployment: { pod: ['spec', 'template', 'spec'], count: ['spec', 'replicas'] },
  StatefulSet: { pod: ['spec', 'template', 'spec'], count: ['spec', 'replicas'] },
  Dragonfly: { pod: ['spec'], count: ['spec', 'replicas'] },
  EnvoyProxy: {
    pod: ['spec', 'provider', 'kubernetes', 'envoyDeployment', 'pod'],
    count: ['spec', 'provider', 'kubernetes', 'envoyDeployment', 'replicas'],
  },
}

function aloneInManifests(cluster: ClusterView): Finding[] {
  const guards = ofKind(cluster, 'PodDisruptionBudget')
  return ofKind(cluster, ...Object.keys(parts))
    .filter(({ release }) => !release)
    .flatMap((one) => {
      const { pod, count } = parts[one.kind] ?? { pod: [], count: [] }
      const labels = mapAt(one.object(), 'spec.template.metadata.labels') as Record<string, string>
      const guard = guards.find(
        ({ namespace, object }) =>
          namespace === one.namespace &&
          Object.keys(labels).length > 0 &&
          matches(dig(object(), 'spec.selector'), labels),
      )
      const isSpread = listAt(dig(one.object(), pod), 'topologySpreadConstraints').length > 0
      const number = textAt(one.object(), count)
      if ((!guard && !isSpread) || isMany(number)) return []
      const beside = guard ? `PodDisruptionBudget ${guard.name}` : 'topologySpreadConstraints'
      const path: YamlPath = count.slice(0, number === undefined ? -1 : undefined)
      return [about(one, `${count.at(-1)} is ${number ?? 'unset'}, beside ${beside}`, path)]
    })
}
