/** The dependsOn graph: complete, without cycles, shallow, and with the CRD before the custom resource. */
import { deepestChain, dependencyFindings } from '../dependencies.ts'
import { textAt } from '../fields.ts'
import { type FluxKustomization, nameOf } from '../flux.ts'
import type { Finding } from '../locate.ts'
import { about, aboutKustomization, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind } from './view.ts'

const graph = (matches: RegExp): Rule['check'] =>
  each(({ rendered, releases }) =>
    dependencyFindings(
      rendered,
      releases.map(({ release }) => release),
    ).filter(({ message }) => matches.test(message)),
  )

export const dependencyRules: Rule[] = [
  {
    id: 'dependency-exists',
    demands: 'What a Kustomization or HelmRelease depends on is on the same cluster',
    why: 'It would wait for ever; Flux does not look across clusters',
    fix: 'Correct the name or namespace, or add what it depends on to the cluster',
    source: 'design section 8',
    scope: 'any',
    check: graph(/which this cluster does not have/),
  },
  {
    id: 'dependency-acyclic',
    demands: 'dependsOn has no cycle, and nothing depends on a parent that waits for it',
    why: 'Each waits for the other, for ever',
    fix: 'Take one of the edges out, or `wait: false` at the parent',
    source: 'design section 8',
    scope: 'any',
    check: graph(/dependsOn cycle|which waits for it/),
  },
  {
    id: 'dependency-depth',
    demands: `dependsOn is at most ${deepestChain} deep`,
    why: 'Each level costs 5 to 10 s of Flux’s own polling, at every bootstrap',
    fix: 'Depend on what is really needed, not on a whole layer',
    source: 'design section 8',
    scope: 'house',
    check: graph(/deep \(at most/),
  },
  {
    id: 'crd-before-resource',
    demands: 'A Kustomization with custom resources depends on the one that brings their CRD',
    why: 'The dry run of a kind that does not exist yet fails, and the first bootstrap with it',
    fix: 'dependsOn: [{name: <the component with the CRD>}]',
    source: 'issue 5',
    scope: 'any',
    check: each(crdBeforeResource),
  },
  {
    id: 'readiness-known',
    demands: 'A Kustomization with a kind that has no Ready condition has healthCheckExprs for it',
    why: 'kstatus takes it for ready as soon as it exists; what depends on it starts too early',
    fix: 'healthCheckExprs: [{apiVersion, kind, current: <CEL>}]',
    source: 'design section 8',
    scope: 'any',
    check: each(({ rendered, objects }) =>
      rendered.flatMap(({ kustomization }) => {
        const given = (kustomization.raw.healthCheckExprs ?? []) as { kind?: string }[]
        const kinds = new Set(
          objects
            .filter((one) => one.kustomization === kustomization && !one.release)
            .filter(({ group, kind }) => withoutReady[group]?.has(kind))
            .map(({ kind }) => kind),
        )
        return [...kinds]
          .filter((kind) => !given.some((expression) => expression.kind === kind))
          .map((kind) => aboutKustomization(kustomization, `${kind} has no healthCheckExprs`))
      }),
    ),
  },
]

const withoutReady: Record<string, Set<string>> = {
  'k8s.keycloak.org': new Set(['KeycloakRealmImport']),
  'kafka.strimzi.io': new Set(['Kafka']),
  'ceph.rook.io': new Set(['CephCluster', 'CephBlockPool', 'CephFilesystem', 'CephObjectStore']),
  'postgresql.cnpg.io': new Set(['Cluster']),
}

/** Kubernetes' own, and Flux' own: whoever applies a Kustomization has them. */
const builtInGroup = /^$|^(apps|batch|autoscaling|policy)$|\.k8s\.io$|\.toolkit\.fluxcd\.io$/
const notBuiltIn = /^(gateway\.networking|snapshot\.storage|groupsnapshot\.storage|externaldns)\.(k8s\.io|x-k8s\.io)$/

function crdBeforeResource(cluster: ClusterView): Finding[] {
  const byName = new Map(cluster.rendered.map(({ kustomization }) => [nameOf(kustomization), kustomization]))
  const providers = providersByGroup(cluster)
  const reported = new Set<string>()
  return cluster.objects
    .filter(({ release, group }) => !release && (!builtInGroup.test(group) || notBuiltIn.test(group)))
    .flatMap((one) => {
      const key = `${nameOf(one.kustomization)} ${one.group}`
      const from = providers.get(one.group)
      if (reported.has(key)) return []
      // Somebody else's business, or nobody's: a schema or the API server will tell.
      if (!from || from.has(nameOf(one.kustomization))) return []
      const before = ancestors(one.kustomization, byName)
      if ([...from].some((provider) => before.has(provider))) return []
      reported.add(key)
      const names = [...from].map((provider) => provider.split('/')[1]).join(' or ')
      return [
        about(
          one,
          `Kustomization ${one.kustomization.name} does not depend on ${names}, which brings the CRDs of ${one.group}`,
        ),
      ]
    })
}

/** Kustomizations that bring the CRDs of a group: as manifests, or by a chart. */
function providersByGroup(cluster: ClusterView): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const add = (group: string | undefined, kustomization: string) => {
    if (group) found.set(group, (found.get(group) ?? new Set()).add(kustomization))
  }
  for (const one of ofKind(cluster, 'CustomResourceDefinition')) {
    add(textAt(one.object(), 'spec.group'), nameOf(one.kustomization))
  }
  for (const { release, facts } of cluster.releases) {
    for (const name of (facts?.crds ?? []).flatMap(({ names }) => names)) {
      add(name.slice(name.indexOf('.') + 1), release.kustomization)
    }
  }
  return found
}

/** Everything that must be Ready before it, over dependsOn. */
function ancestors(of: FluxKustomization, byName: Map<string, FluxKustomization>): Set<string> {
  const found = new Set<string>()
  const visit = ({ dependsOn }: FluxKustomization): void => {
    for (const name of dependsOn) {
      if (found.has(name)) continue
      found.add(name)
      const next = byName.get(name)
      if (next) visit(next)
    }
  }
  visit(of)
  return found
}
