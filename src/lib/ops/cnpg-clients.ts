/** Who uses a database of CloudNativePG, and what of Flux applies it and them. Pure. */
import type { Place, Workload } from '../tools/kubectl-volsync.args.ts'
import type { KubeObject } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import { chosenCluster } from './cnpg.ts'
import { recoveryOfKey } from './cnpg-recovery.ts'
import { type HoldableView, releasesOf } from './flux-choice.ts'
import { nameOf } from './flux-view.ts'
import { fluxOwner, keeperOf, type Parked, parkedView, workloadView } from './volsync-view.ts'

/** On pods that may reach PostgreSQL (kubernetes/apps/components/cnpg). */
const clientLabel = { key: 'k8sops.dev/postgres', value: 'client' }
/** On a Database: the namespace of its application. */
const namespaceKey = 'k8sops.dev/namespace'

/**
 * A database by its name; also one that a restore has deleted, of which the Cluster beside it tells.
 * @throws UsageError for names that fit none, or several
 */
export function chosenPlace(clusters: KubeObject[], name: string): Place {
  const made = (one: KubeObject) => one.metadata.annotations?.[recoveryOfKey] !== undefined
  const gone = clusters
    .filter(made)
    .map((one) => ({ ...one, metadata: { ...one.metadata, name: one.metadata.name.replace(/-restore$/, '') } }))
    .filter((one) => !clusters.some((other) => placeOf(other) === placeOf(one)))
  const { metadata } = chosenCluster([...clusters.filter((one) => !made(one)), ...gone], name)
  return { namespace: metadata.namespace ?? '', name: metadata.name }
}

export interface DatabaseClients {
  /** Workloads that can be stopped. */
  clients: Workload[]
  /** Workloads that an operator keeps as they are: they lose their connections, and nothing else. */
  kept: string[]
  /** Of Flux: what applies the database and its clients. */
  objects: HoldableView[]
  /** Clients that a restore has stopped. */
  parked: Parked[]
}

interface PodTemplate {
  metadata?: { labels?: Record<string, string> }
}

/**
 * Clients are workloads whose pods carry the label, in namespaces that a Database of this Cluster is for.
 * @param database the Cluster, or what it was made from
 */
export function clientsOf({
  place,
  database,
  databases,
  workloads,
  views,
}: {
  place: Place
  database: KubeObject | undefined
  databases: KubeObject[]
  workloads: KubeObject[]
  views: HoldableView[]
}): DatabaseClients {
  const own = databases.filter(
    ({ metadata, spec }) =>
      metadata.namespace === place.namespace && (spec?.cluster as { name?: string } | undefined)?.name === place.name,
  )
  const namespaces = new Set(own.map(({ metadata }) => metadata.labels?.[namespaceKey] ?? metadata.namespace))
  const users = workloads.filter(({ metadata, spec }) => {
    const { labels = {} } = ((spec?.template ?? {}) as PodTemplate).metadata ?? {}
    return namespaces.has(metadata.namespace) && labels[clientLabel.key] === clientLabel.value
  })
  const kindOf = ({ kind }: KubeObject) => kind as Workload['kind']
  const free = users.filter((object) => keeperOf(object) === undefined)
  const named = (kind: HoldableView['kind'], names: (string | null)[]) =>
    views.filter((view) => view.kind === kind && names.includes(nameOf(view)))
  const ownersOf = (controller: 'kustomize' | 'helm') =>
    free.map(({ metadata }) => fluxOwner(metadata.labels ?? {}, controller))
  const kustomizations = named('Kustomization', [
    database ? fluxOwner(labelsBefore(database), 'kustomize') : null,
    ...ownersOf('kustomize'),
  ])
  const releases = named('HelmRelease', ownersOf('helm'))
  const appliers = views.filter((view) => releases.some((release) => release.owner === nameOf(view)))
  return {
    clients: free.map((object) => workloadView(kindOf(object), object)),
    kept: users
      .filter((object) => !free.includes(object))
      .map((object) => `${object.kind} ${placeOf(object)} (${keeperOf(object)})`),
    objects: [
      ...new Set([
        ...[...kustomizations, ...appliers.filter(({ kind }) => kind === 'Kustomization')].flatMap((one) => [
          one,
          ...releasesOf(one, views),
        ]),
        ...releases,
      ]),
    ],
    parked: users.flatMap((object) => parkedView(kindOf(object), object) ?? []),
  }
}

/** Of the Cluster beside a database: the labels that the database had. */
function labelsBefore({ metadata }: KubeObject): Record<string, string> {
  const note = metadata.annotations?.[recoveryOfKey]
  return note === undefined ? (metadata.labels ?? {}) : (JSON.parse(note) as { labels: Record<string, string> }).labels
}
