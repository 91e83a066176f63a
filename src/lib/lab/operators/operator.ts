/** What the small operators have in common: they work while their pod runs, on kinds whose CRD is Established. */
import type { Json, KubeObject, ObjectRef } from '../../types.ts'
import { type ClusterView, hasRunningPod } from '../kube/cluster-view.ts'
import { type Condition, isTrue, nextConditions, statusHolds } from '../kube/conditions.ts'
import { createReconciler, keyOf, type Reconciler } from '../kube/reconciler.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'

export interface Operator {
  name: string
  /** Reconciles every object of its kinds again, or of one of them. */
  again(kind?: string): void
  objects(kind: string): KubeObject[]
  /** Until it stops; every change lets it look at all of its objects again. */
  follow(ref: ObjectRef): Followed
  running(): boolean
  status(): { [key: string]: Json }
  stop(): void
}

/** The newest list of a kind; empty until the first one came. */
export interface Followed {
  list: KubeObject[]
}

export interface PlayedKind {
  apiVersion: string
  kind: string
  labelSelector?: string
  /** Brings one object's status up to date; may return milliseconds after which to look again. */
  reconcile(object: KubeObject): Promise<number | undefined>
}

export interface OperatorDefinition {
  name: string
  /** Labels of the pod whose running makes it work. */
  pod: Record<string, string>
  kinds: PlayedKind[]
  /** Kinds of the operator that nobody plays: their objects never become Ready here. */
  unplayed?: { apiVersion: string; kind: string }[]
  /** Called whenever its pod starts to run. */
  onStart?: () => void
}

export function startOperator(lab: Lab, view: ClusterView, definition: OperatorDefinition): Operator {
  const { name, pod, kinds, unplayed = [], onStart } = definition
  const running = () => hasRunningPod(view, pod)
  const reconcilers = new Map<string, Reconciler>()
  const lost = new Map<string, string[]>()
  const endings = [
    ...kinds.map(({ apiVersion, kind, labelSelector, reconcile }) => {
      const reconciler = createReconciler(reconcile, {
        active: running,
        onError: (object, error) => lab.log(name, `${kind} ${keyOf(object)}: ${error.message}`),
      })
      reconcilers.set(kind, reconciler)
      return view.watch({ apiVersion, kind, ...(labelSelector ? { labelSelector } : {}) }, reconciler.set)
    }),
    ...unplayed.map(({ apiVersion, kind }) =>
      view.watch({ apiVersion, kind }, (objects) => {
        lost.set(kind, objects.map(keyOf))
        if (objects.length > 0) lab.log(name, `nobody plays ${kind}: ${objects.map(keyOf).join(', ')}`)
      }),
    ),
  ]
  const again = (only?: string) => {
    for (const [kind, reconciler] of reconcilers) if (only === undefined || kind === only) reconciler.again()
  }
  let ran = false
  const follow = () => {
    const runs = running()
    if (runs && !ran) {
      onStart?.()
      again()
    }
    ran = runs
  }
  endings.push(view.onPods(follow))
  follow()

  return {
    name,
    again,
    running,
    objects: (kind) => reconcilers.get(kind)?.objects() ?? [],
    follow(ref) {
      const followed: Followed = { list: [] }
      endings.push(
        view.watch(ref, (objects) => {
          followed.list = objects
          again()
        }),
      )
      return followed
    },
    status: () => ({
      running: running(),
      ready: [...reconcilers.values()].flatMap((each) => each.objects()).filter((object) => isTrue(object, 'Ready'))
        .length,
      objects: [...reconcilers.values()].reduce((sum, each) => sum + each.objects().length, 0),
      unplayed: [...lost].flatMap(([kind, names]) => names.map((each) => `${kind} ${each}`)),
    }),
    stop() {
      for (const end of endings) end()
      for (const reconciler of reconcilers.values()) reconciler.stop()
    },
  }
}

export interface Keeper {
  /**
   * Applies an object that differs from the one applied last, or that is gone.
   * @param there what there is of its kind; without it nobody is expected to take the object away
   */
  keep(object: Manifest, there?: Followed): Promise<void>
  /** Of an operator that starts anew: it applies everything once more. */
  forget(): void
}

/** For objects that change only with what they are made from. */
export function createKeeper(view: ClusterView, fieldManager: string): Keeper {
  const applied = new Map<string, string>()
  return {
    async keep(object, there) {
      const key = `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`
      const text = JSON.stringify(object)
      if (applied.get(key) === text && (!there || isAmong(there.list, object))) return
      await view.writer().apply(object, fieldManager)
      applied.set(key, text)
    },
    forget: () => applied.clear(),
  }
}

export const isAmong = (objects: KubeObject[], { metadata }: Manifest): boolean =>
  objects.some((each) => each.metadata.name === metadata.name && each.metadata.namespace === metadata.namespace)

/** Writes conditions and further status fields if they differ from what the object has. */
export async function report(
  view: ClusterView,
  object: KubeObject,
  conditions: Condition[],
  details: { [key: string]: unknown } = {},
): Promise<void> {
  const status = { ...details, conditions: nextConditions(object, conditions) }
  if (!statusHolds(object, status)) await view.writer().patchStatus(object, status)
}

export function ready(status: Condition['status'], reason: string, message: string): Condition {
  return { type: 'Ready', status, reason, message }
}

/** One object by name, or undefined. Throws when the API server can't be asked. */
export async function readObject(
  view: ClusterView,
  ref: { apiVersion: string; kind: string; namespace?: string; name: string },
): Promise<KubeObject | undefined> {
  const listed = await view.reads()?.list(ref)
  if (!listed) throw new Error('the API server has never been up')
  if (listed.ok) return listed.value[0]
  if (listed.why === 'not-found') return undefined
  throw new Error(listed.detail)
}

export const readSecret = (view: ClusterView, namespace: string, name: string): Promise<KubeObject | undefined> =>
  readObject(view, { apiVersion: 'v1', kind: 'Secret', namespace, name })

/** `metadata.ownerReferences` to an object that the API server gave. */
export function ownerReference({ apiVersion, kind, metadata }: Manifest) {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }
}
