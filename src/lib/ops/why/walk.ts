/**
 * Why an application is not well: from its Kustomization and HelmReleases to whatever is broken first below them. The walk is pure:
 * it asks for objects and gets answers, whoever reads them.
 */
import type { KubeObject } from '../../types.ts'
import { chosenApps, releasesOf } from '../flux-choice.ts'
import { heldBy } from '../flux-status.ts'
import { type FluxView, fluxRef, fluxView, idOf, nameOf } from '../flux-view.ts'
import { ask, askOne, breakClasses, firstOf, isReady, type Link, linkOf, type Need, type Walk } from './link.ts'
import { brokenWorkloads } from './pods.ts'
import { brokenExternalSecret, missingObject } from './secrets.ts'

export interface Found {
  link: Link
  /** From the application down to the broken link. */
  path: string[]
}

/** What a walk comes to. */
export interface Outcome {
  found?: Found
  /** Where nothing was found, what Flux is working on: it may have failed a moment ago, and be tried again. */
  pending: FluxView[]
}

interface Cluster {
  pending: FluxView[]
  /** Of Kustomizations and HelmReleases. */
  views: FluxView[]
  objects: Map<string, KubeObject>
  /** Those that the walk is in the middle of. */
  trail: string[]
}

/**
 * @param declared Git says that the cluster runs it: if it is not there, the reason stands above it
 * @throws UsageError for an application that nobody knows
 */
export function* whyApp(app: string, declared: boolean): Walk<Outcome> {
  const lists = yield* ask(fluxRef('Kustomization'), fluxRef('HelmRelease'))
  const objects = lists.flat()
  const views = objects.map(fluxView)
  const cluster: Cluster = {
    views,
    objects: new Map(views.map((view, index) => [idOf(view), objects[index] as KubeObject])),
    trail: [],
    pending: [],
  }
  const known = views.some((view) => view.name === app || nameOf(view) === app)
  const link =
    known || !declared
      ? yield* firstOf(headsOf(views, app).map((head) => () => brokenFlux(head, cluster)))
      : yield* notApplied(app, cluster)
  if (!link) return { pending: cluster.pending }
  const path = cluster.trail.at(-1) === link.object ? cluster.trail : [...cluster.trail, link.object]
  return { found: { link, path }, pending: [] }
}

const headsOf = (views: FluxView[], app: string): FluxView[] =>
  chosenApps(views, [app]).flatMap(({ objects }) => objects.slice(0, 1))

/** Whoever applies Kustomizations, from the root on, might be what does not. */
function* notApplied(app: string, cluster: Cluster): Walk<Link> {
  const parents = cluster.views.filter(
    (view) => view.owner === null || view.applied.some(({ kind }) => kind === 'Kustomization'),
  )
  const fromTheRoot = parents
    .filter(({ kind }) => kind === 'Kustomization')
    .toSorted((a, b) => Number(b.owner === null) - Number(a.owner === null))
  for (const parent of fromTheRoot) {
    const broken = yield* brokenFlux(parent, cluster)
    // Another of its applications that is not well does not keep this one away.
    if (broken && (broken.object === idOf(parent) || !/^(Kustomization|HelmRelease)\//.test(broken.object)))
      return broken
    cluster.trail.length = 0
  }
  return {
    class: 'not-applied',
    object: `Kustomization/flux-system/${app}`,
    message: breakClasses['not-applied'],
    since: null,
  }
}

/** The trail is left standing where something was found: it is the way there. */
function* brokenFlux(view: FluxView, cluster: Cluster): Walk {
  const id = idOf(view)
  if (cluster.trail.includes(id)) {
    const message = [...cluster.trail.slice(cluster.trail.indexOf(id)), id].join(' -> ')
    return { class: 'dependency-cycle', object: id, message, since: view.since }
  }
  cluster.trail.push(id)
  const found = yield* brokenObject(view, cluster)
  if (!found) cluster.trail.pop()
  if (!found && view.state === 'progressing') cluster.pending.push(view)
  return found
}

function suspendedLink(view: FluxView): Link | undefined {
  if (!view.suspended) return undefined
  const since = view.hold?.since ?? view.suspendedBy?.time ?? null
  return { class: 'suspended', object: idOf(view), message: `held by ${heldBy(view, Date.now())}`, since }
}

/** Above it, itself, below it: the first that explains the others. */
function* brokenObject(view: FluxView, cluster: Cluster): Walk {
  const held = suspendedLink(view)
  if (held) return held
  const isRelease = view.kind === 'HelmRelease'
  if (view.state !== 'ready') {
    const upstream = yield* firstOf([
      () => brokenDependency(view, cluster),
      () => brokenSource(view),
      () => missingInputs(view, cluster),
      () => downController(view, isRelease ? 'helm-controller' : 'kustomize-controller'),
    ])
    if (upstream) return upstream
    // What could not be built or applied has nothing below it that could be the reason.
    if (!isRelease && view.state === 'failed' && view.reason !== 'HealthCheckFailed') return ownFailure(view)
  }
  const releases = isRelease ? [] : releasesOf(view, cluster.views)
  const selector = selectorOf(isRelease ? 'helm' : 'kustomize', view)
  const below = yield* firstOf([
    ...releases.map((release) => () => brokenFlux(release, cluster)),
    () => brokenSecrets(selector),
    () => brokenWorkloads(selector),
  ])
  if (below) return below
  if (view.state === 'failed' || view.state === 'waiting') return ownFailure(view)
  // It runs; but what is new does not arrive.
  return view.state === 'ready' ? yield* brokenSource(view) : undefined
}

const selectorOf = (group: 'helm' | 'kustomize', view: FluxView): string =>
  `${group}.toolkit.fluxcd.io/name=${view.name},${group}.toolkit.fluxcd.io/namespace=${view.namespace}`

const classes: Record<string, Link['class']> = {
  BuildFailed: 'build-failed',
  ArtifactFailed: 'source-failed',
  HealthCheckFailed: 'health-failed',
}

function ownFailure(view: FluxView): Link {
  const otherwise = view.kind === 'HelmRelease' ? 'release-failed' : 'apply-failed'
  const kind = classes[view.reason ?? ''] ?? otherwise
  return {
    class: kind,
    object: idOf(view),
    message: view.message ?? view.reason ?? breakClasses[kind],
    since: view.since,
  }
}

function* brokenDependency(view: FluxView, cluster: Cluster): Walk {
  const byId = new Map(cluster.views.map((one) => [idOf(one), one]))
  return yield* firstOf(
    view.dependsOn.map(
      (name) =>
        function* (): Walk {
          const id = `${view.kind}/${name}`
          const other = byId.get(id)
          if (!other)
            return {
              class: 'dependency-missing',
              object: id,
              message: `${idOf(view)} depends on it, and it is not there`,
              since: view.since,
            }
          return yield* brokenFlux(other, cluster)
        },
    ),
  )
}

function* brokenSource(view: FluxView): Walk {
  const { source } = view
  if (!source) return undefined
  const ref = { ...fluxRef(source.kind as FluxView['kind']), namespace: source.namespace, name: source.name }
  const object = yield* askOne(ref)
  const id = idOf(source)
  if (!object)
    return {
      class: 'source-missing',
      object: id,
      message: `${idOf(view)} is made from it, and it is not there`,
      since: view.since,
    }
  const isChart = view.kind === 'HelmRelease'
  const own = fluxView(object)
  const held = suspendedLink(own)
  const stored = own.revision !== null
  // What is held still has its last artifact, which is as good as it was.
  if (held && (!stored || view.state !== 'ready')) return held
  if (own.state === 'ready' && (stored || own.kind === 'HelmRepository')) return yield* brokenChart(view)
  const secret = (object.spec?.secretRef as { name?: string } | undefined)?.name
  if (secret) {
    const missing = yield* missingObject({ kind: 'Secret', namespace: source.namespace, name: secret }, id)
    if (missing) return missing
  }
  const down = yield* downController(own, 'source-controller')
  if (down) return down
  if (own.state === 'progressing') return undefined
  return linkOf(isChart ? 'chart-failed' : 'source-failed', object)
}

/** Between a HelmRepository and a HelmRelease stands a HelmChart that helm-controller makes. */
function* brokenChart(view: FluxView): Walk {
  if (view.kind !== 'HelmRelease' || view.source?.kind !== 'HelmRepository' || view.state === 'ready') return undefined
  const name = `${view.namespace}-${view.name}`
  const chart = yield* askOne({ ...fluxRef('HelmChart'), namespace: view.source.namespace, name })
  return chart && !isReady(chart) ? linkOf('chart-failed', chart) : undefined
}

interface Reference {
  kind?: string
  name: string
  optional?: boolean
}

/** Secrets and ConfigMaps that the controller itself reads. */
function* missingInputs(view: FluxView, cluster: Cluster): Walk {
  const spec = cluster.objects.get(idOf(view))?.spec ?? {}
  const decryption = (spec.decryption as { secretRef?: Reference } | undefined)?.secretRef
  const substitutes = (spec.postBuild as { substituteFrom?: Reference[] } | undefined)?.substituteFrom ?? []
  const values = (spec.valuesFrom ?? []) as Reference[]
  const kubeconfig = (spec.kubeConfig as { secretRef?: Reference } | undefined)?.secretRef
  const secrets = [decryption, kubeconfig].flatMap((one) => (one ? [{ ...one, kind: 'Secret' }] : []))
  return yield* firstOf(
    [...secrets, ...substitutes, ...values]
      .filter(({ optional }) => optional !== true)
      .map(
        ({ kind, name }) =>
          () =>
            missingObject(
              { kind: kind === 'ConfigMap' ? 'ConfigMap' : 'Secret', namespace: view.namespace, name },
              idOf(view),
            ),
      ),
  )
}

function* brokenSecrets(labelSelector: string): Walk {
  const [secrets = []] = yield* ask({ apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', labelSelector })
  return yield* firstOf(secrets.map((secret) => () => brokenExternalSecret(secret)))
}

/** Something was asked for and nobody looks at it: is there anybody? */
function* downController(view: FluxView, name: string): Walk {
  if (view.state !== 'progressing') return undefined
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'flux-system', name }
  const deployment = yield* askOne(ref)
  const ready = Number(deployment?.status?.readyReplicas ?? 0)
  if (ready > 0) return undefined
  const message = deployment
    ? `${nameOf(view)} waits for it, and it has ${ready} of ${Number(deployment.spec?.replicas ?? 1)} pods`
    : 'it is not there'
  return { class: 'controller-down', object: `Deployment/flux-system/${name}`, message, since: view.since }
}

export type { Need }
