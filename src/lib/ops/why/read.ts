/** Answers the walk's questions from a cluster: each of them once. */
import type { ClusterNode, KubeObject, KubePort, TalosPort } from '../../types.ts'
import type { Answer, Need, Walk } from './link.ts'

export interface WhyReads {
  kube: KubePort
  /** Loaded only when a node is in question. */
  talos: () => Promise<TalosPort>
  nodes: ClusterNode[]
  signal: AbortSignal
  /** Told what can't be read: then the walk goes on without it. */
  onUnread: (need: string, detail: string) => void
}

/** Walks to the end. */
export async function answerWalk<T>(walk: Walk<T>, reads: WhyReads): Promise<T> {
  const known = new Map<string, Promise<Answer>>()
  const answer = (need: Need): Promise<Answer> => {
    const key = JSON.stringify(need)
    const asked = known.get(key) ?? read(need, reads)
    known.set(key, asked)
    return asked
  }
  let step = walk.next([])
  while (!step.done) step = walk.next(await Promise.all(step.value.map(answer)))
  return step.value
}

async function read(need: Need, { kube, talos, nodes, signal, onUnread }: WhyReads): Promise<Answer> {
  if ('talosServices' in need) {
    const node = nodes.find(({ hostname }) => hostname === need.talosServices)
    if (!node) return { ok: false, why: 'not-found', detail: `talconfig.yaml has no node ${need.talosServices}` }
    const services = await (await talos()).get(node.address, 'services', undefined, signal)
    if (!services.ok) return services
    return {
      ok: true,
      value: services.value.map(({ metadata, spec }) => ({
        apiVersion: 'v1alpha1',
        kind: 'Service',
        metadata: { name: metadata.id },
        spec,
      })),
    }
  }
  const answer = await kube.list(need, signal, whatMatters)
  if (!answer.ok && answer.why !== 'not-found')
    onUnread([need.kind, need.namespace, need.name].filter(Boolean).join(' '), answer.detail)
  return answer
}

/** No values of secrets in memory: that they are there is all that is asked. */
function whatMatters(object: KubeObject): KubeObject {
  if (object.kind === 'Secret' || object.kind === 'ConfigMap') {
    const { data: _, ...rest } = object
    return rest
  }
  if (object.kind !== 'HelmRelease' || !object.spec?.values) return object
  const { values: _, ...spec } = object.spec
  return { ...object, spec }
}
