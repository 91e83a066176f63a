/** The dependsOn graph: complete, without cycles, shallow, and with the CRD before the custom resource. */
import { groupsOfChart, isCustomGroup } from '../custom-groups.ts'
import { deepestChain, dependencyFindings } from '../dependencies.ts'
import { leaves, listAt, textAt } from '../fields.ts'
import { type FluxKustomization, nameOf } from '../flux.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { madeBy } from '../makes.ts'
import type { SchemaTables } from '../schema-tables.ts'
import { monitorsOf } from './charts.ts'
import { referencesOf } from './references.ts'
import { about, aboutKustomization, aboutRelease, each, type Rule } from './rule.ts'
import { takings } from './taken.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

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
    demands:
      'A Kustomization with custom resources depends itself on the one that brings their CRD, or on one that has what they refer to in that API',
    why: 'The dry run of a kind that does not exist yet fails, and the first bootstrap with it; what others depend on may change',
    fix: 'dependsOn: [{name: <the component with the CRD>}]',
    source: 'issue 5, docs/patterns.md',
    scope: 'house',
    check: each(crdBeforeResource),
  },
  {
    id: 'referred-before-referrer',
    demands:
      'A Kustomization depends on those whose stores, issuers, gateways, classes and clusters its objects name, and on those that make the Secrets which they take from',
    why: 'Its objects cannot become ready before those are there: at a bootstrap it would wait in vain until its timeout',
    fix: 'dependsOn: [{name: <the component that has the object>}]',
    source: 'Flux, docs/patterns.md',
    scope: 'house',
    check: (view) => each((cluster) => referredBeforeReferrer(cluster, view.schemas))(view),
  },
  {
    id: 'readiness-stated',
    demands:
      'A Kustomization waits for what it applies (`wait: true` or healthChecks), or says `wait: false`; what others depend on waits',
    why: 'Without it Ready only says that everything was applied: what depends on it starts before it works',
    fix: 'wait: true',
    source: 'Flux',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ rendered }) => {
      const awaited = new Set(rendered.flatMap(({ kustomization }) => kustomization.dependsOn))
      return rendered
        .map(({ kustomization }) => kustomization)
        .filter(({ parent, waits, raw }) => parent !== undefined && !waits && listAt(raw, 'healthChecks').length === 0)
        .filter((one) => one.raw.wait === undefined || awaited.has(nameOf(one)))
        .map((one) =>
          aboutKustomization(
            one,
            one.raw.wait === undefined ? 'does not say whether it waits' : 'does not wait, and others depend on it',
            ['spec', 'wait'],
          ),
        )
    }),
  },
  {
    id: 'readiness-known',
    demands: 'A Kustomization with a kind that has no Ready condition has healthCheckExprs for it',
    why: 'kstatus takes it for ready as soon as it exists; what depends on it starts too early',
    fix: 'healthCheckExprs: [{apiVersion, kind, current: <CEL>}]',
    source: 'design section 8',
    scope: 'any',
    check: each(({ objects }) => {
      const judged = objects.filter(({ release, group, kind }) => !release && withoutReady[group]?.has(kind))
      const byOwner = Map.groupBy(judged, ({ kustomization }) => kustomization)
      return [...byOwner].flatMap(([kustomization, own]) => {
        const given = listAt(kustomization.raw, 'healthCheckExprs').map((expression) => textAt(expression, 'kind'))
        return [...new Set(own.map(({ kind }) => kind))]
          .filter((kind) => !given.includes(kind))
          .map((kind) => aboutKustomization(kustomization, `${kind} has no healthCheckExprs`))
      })
    }),
  },
]

const withoutReady: Record<string, Set<string>> = {
  'k8s.keycloak.org': new Set(['KeycloakRealmImport']),
  'kafka.strimzi.io': new Set(['Kafka']),
  'ceph.rook.io': new Set(['CephCluster', 'CephBlockPool', 'CephFilesystem', 'CephObjectStore']),
  'postgresql.cnpg.io': new Set(['Cluster']),
}

function crdBeforeResource(cluster: ClusterView): Finding[] {
  const providers = providersByGroup(cluster)
  const through = providersThroughReferences(cluster, providers)
  const reported = new Set<string>()
  const without = (kustomization: FluxKustomization, group: string): string | undefined => {
    const key = `${nameOf(kustomization)} ${group}`
    const from = providers.get(group)
    if (reported.has(key)) return undefined
    // Somebody else's business, or nobody's: a schema or the API server will tell.
    if (!from || from.has(nameOf(kustomization))) return undefined
    const before = [...kustomization.dependsOn, ...(through.get(kustomization) ?? [])]
    if (before.some((name) => from.has(name))) return undefined
    reported.add(key)
    const names = [...from].map((provider) => provider.split('/')[1]).join(' or ')
    return `Kustomization ${kustomization.name} does not depend on ${names}, which brings the CRDs of ${group}`
  }
  const appliers = new Map(cluster.rendered.map(({ kustomization }) => [nameOf(kustomization), kustomization]))
  return [
    ...[...cluster.objects, ...cluster.recorded]
      .filter(({ group }) => isCustomGroup(group))
      .flatMap((one) => {
        const message = without(one.kustomization, one.group)
        return message === undefined ? [] : [about(one, message)]
      }),
    // The monitors that a chart brings when it is asked for them stand in no record; one that is told to trust asks for no CRD.
    ...cluster.releases
      .filter(({ release }) => !trusts(release.values))
      .flatMap((known) => {
        const kustomization = appliers.get(known.release.kustomization)
        const message =
          kustomization && monitorsOf(known).isOn ? without(kustomization, 'monitoring.coreos.com') : undefined
        return message === undefined ? [] : [aboutRelease(known.release, message)]
      }),
  ]
}

const trusts = (values: unknown): boolean =>
  leaves(values).some(({ path, value }) => path.at(-1) === 'trustCRDsExist' && value === true)

/**
 * Who brings CRDs before a Kustomization without being named by it: an ExternalSecret names its store, and whoever has the store depends
 * on the operator.
 */
function providersThroughReferences(
  cluster: ClusterView,
  providers: ReadonlyMap<string, ReadonlySet<string>>,
): Map<FluxKustomization, Set<string>> {
  const objects = Map.groupBy([...cluster.objects, ...cluster.recorded], ({ kind, name }) => `${kind} ${name}`)
  const found = new Map<FluxKustomization, Set<string>>()
  for (const { one, kinds, name } of referencesOf(cluster)) {
    const targets = kinds
      .flatMap((kind) => objects.get(`${kind} ${name}`) ?? [])
      .filter(({ kustomization }) => one.kustomization.dependsOn.includes(nameOf(kustomization)))
    for (const { group, kustomization } of targets) {
      const known = found.get(one.kustomization) ?? new Set()
      for (const provider of providers.get(group) ?? [])
        if (kustomization.dependsOn.includes(provider)) known.add(provider)
      found.set(one.kustomization, known)
    }
  }
  return found
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
    for (const group of groupsOfChart(release.chartName, facts)) add(group, release.kustomization)
  }
  return found
}

/** What an object needs to be there, and which Kustomizations have it. */
interface Need {
  one: RenderedObject
  /** `Kind name`. */
  what: string
  from: ReadonlySet<string>
  path: YamlPath
}

function needsOf(cluster: ClusterView, schemas: SchemaTables): Need[] {
  const owners = new Map<string, Set<string>>()
  const own = (key: string, { kustomization }: RenderedObject) =>
    owners.set(key, (owners.get(key) ?? new Set()).add(nameOf(kustomization)))
  for (const one of [...cluster.objects, ...cluster.recorded]) {
    own(`${one.kind} ${one.name}`, one)
    for (const { kind, namespace, name } of madeBy(one)) own(`${kind} ${namespace}/${name}`, one)
  }
  const none: ReadonlySet<string> = new Set()
  return [
    ...referencesOf(cluster).map(({ one, kinds, name, path }) => {
      const kind = kinds.find((candidate) => owners.has(`${candidate} ${name}`))
      return { one, what: `${kind} ${name}`, from: owners.get(`${kind} ${name}`) ?? none, path }
    }),
    ...takings(cluster, schemas).map(({ one, kind, namespace, name, path }) => ({
      one,
      what: `${kind} ${name}`,
      path,
      from: owners.get(`${kind} ${namespace}/${name}`) ?? none,
    })),
  ]
}

/** Once for each Kustomization and each that it should depend on. */
function referredBeforeReferrer(cluster: ClusterView, schemas: SchemaTables): Finding[] {
  const reported = new Set<string>()
  return needsOf(cluster, schemas).flatMap(({ one, what, from, path }) => {
    // The sources and parents that Flux itself has to have before anything else.
    if (/^(kustomize|source)\.toolkit\.fluxcd\.io$/.test(one.group)) return []
    const own = nameOf(one.kustomization)
    const key = `${own} ${[...from].join()}`
    const isBefore = from.size === 0 || from.has(own) || one.kustomization.dependsOn.some((other) => from.has(other))
    if (isBefore || reported.has(key)) return []
    reported.add(key)
    const names = [...from].map((provider) => provider.split('/')[1]).join(' or ')
    return [about(one, `Kustomization ${one.kustomization.name} does not depend on ${names}, which has ${what}`, path)]
  })
}
