/**
 * The VictoriaMetrics operator: workloads and Services of VMSingle, VMAgent, VMAlert, VMAlertmanager and VMAuth, and the statuses of
 * these and of what they read. Monitors and rules of the Prometheus operator are not converted, and nothing is scraped or stored.
 */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { statusHolds } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'
import { type Operator, readSecret, startOperator } from './operator.ts'
import { componentKinds, componentObjects, prefixedName } from './victoria-metrics-workloads.ts'

const apiVersion = 'operator.victoriametrics.com/v1beta1'
const fieldManager = 'vm-operator'
const retryMs = 1_000

/** Which component reads a kind, and says in its status that it did. */
const readers: Record<string, string> = {
  VMUser: 'VMAuth',
  VMRule: 'VMAlert',
  VMServiceScrape: 'VMAgent',
  VMPodScrape: 'VMAgent',
  VMNodeScrape: 'VMAgent',
  VMStaticScrape: 'VMAgent',
  VMProbe: 'VMAgent',
  VMScrapeConfig: 'VMAgent',
}

export function startVictoriaMetrics(lab: Lab, view: ClusterView): Operator {
  /** The generation that was applied last, by uid; a new operator applies everything again. */
  const applied = new Map<string, number>()
  const operator = startOperator(lab, view, {
    name: 'victoria-metrics-operator',
    pod: { 'app.kubernetes.io/name': 'victoria-metrics-operator' },
    kinds: [
      ...componentKinds.map((kind) => ({ apiVersion, kind, reconcile })),
      ...Object.keys(readers).map((kind) => ({ apiVersion, kind, reconcile: reconcileRead })),
    ],
    unplayed: ['VMCluster', 'VMAlertmanagerConfig', 'VMDistributed'].map((kind) => ({ apiVersion, kind })),
    onStart: () => applied.clear(),
  })
  const workloads = ['Deployment', 'StatefulSet'].map((kind) =>
    operator.follow({ apiVersion: 'apps/v1', kind, labelSelector: 'managed-by=vm-operator' }),
  )

  async function reconcile(resource: KubeObject): Promise<number | undefined> {
    if (resource.metadata.deletionTimestamp) return undefined
    const missing = await missingSecret(resource)
    if (missing) {
      await write(resource, { updateStatus: 'failed', reason: missing })
      return retryMs
    }
    const { uid = '', generation = 0, namespace } = resource.metadata
    if (applied.get(uid) !== generation) {
      await write(resource, { updateStatus: 'expanding' })
      for (const object of componentObjects(resource)) await view.writer().apply(object, fieldManager)
      applied.set(uid, generation)
    }
    const own = workloads
      .flatMap(({ list }) => list)
      .find(({ metadata }) => metadata.name === prefixedName(resource) && metadata.namespace === namespace)
    if (!own || !isRolledOut(own)) {
      await write(resource, { updateStatus: 'expanding' })
      return undefined
    }
    await write(resource, { updateStatus: 'operational' })
    return undefined
  }

  /** Of what a component reads, what keeps it from being used. */
  async function reconcileRead(resource: KubeObject): Promise<number | undefined> {
    const missing = await missingSecret(resource)
    if (missing) {
      await write(resource, { updateStatus: 'failed', reason: missing })
      return retryMs
    }
    const reader = readers[resource.kind] ?? ''
    const [first] = operator.objects(reader)
    if (!first) return retryMs
    const { name, namespace } = first.metadata
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const type = `${name}.${namespace}.${reader.toLowerCase()}.victoriametrics.com/Applied`
    const before = ((resource.status?.conditions ?? []) as { type: string }[]).find((each) => each.type === type)
    const condition = before ?? {
      type,
      status: 'True',
      reason: 'ConfigParsedAndApplied',
      lastTransitionTime: now,
      lastUpdateTime: now,
      observedGeneration: resource.metadata.generation,
    }
    await write(resource, { updateStatus: 'operational', conditions: [condition] })
    return undefined
  }

  /** Says which Secret, or which key of it, a spec names in vain. */
  async function missingSecret({ spec, metadata }: KubeObject): Promise<string | undefined> {
    for (const { name, key } of secretsOf(spec)) {
      const secret = await readSecret(view, metadata.namespace ?? '', name)
      if (!secret) return `cannot get secret ${metadata.namespace}/${name}: secrets "${name}" not found`
      if (secret.data?.[key] === undefined) return `cannot find key: "${key}" in secret ${metadata.namespace}/${name}`
    }
    return undefined
  }

  async function write(resource: KubeObject, details: { updateStatus: string; [key: string]: unknown }): Promise<void> {
    const status = { reason: null, ...details, observedGeneration: resource.metadata.generation }
    if (!statusHolds(resource, status)) await view.writer().patchStatus(resource, status)
  }

  return {
    ...operator,
    status: () => {
      const all = [...componentKinds, ...Object.keys(readers)].flatMap((kind) => operator.objects(kind))
      const operational = all.filter(({ status }) => status?.updateStatus === 'operational')
      return { ...operator.status(), ready: operational.length }
    },
  }
}

/** Every `{name, key}` below `basicAuth`, `passwordRef` and `tokenRef`, and the Secret with Alertmanager's configuration. */
function secretsOf(spec: unknown, within = false): { name: string; key: string }[] {
  if (Array.isArray(spec)) return spec.flatMap((each) => secretsOf(each, within))
  if (spec === null || typeof spec !== 'object') return []
  const fields = spec as { [key: string]: unknown }
  if (within && typeof fields.name === 'string' && typeof fields.key === 'string')
    return [{ name: fields.name, key: fields.key }]
  return Object.entries(fields).flatMap(([key, value]) =>
    key === 'configSecret' && typeof value === 'string' && value !== ''
      ? [{ name: value, key: 'alertmanager.yaml' }]
      : secretsOf(value, within || /^(basicAuth|passwordRef|tokenRef)$/.test(key)),
  )
}

function isRolledOut({ metadata, spec, status }: KubeObject): boolean {
  const { replicas = 1 } = spec as { replicas?: number }
  const { observedGeneration = 0, readyReplicas = 0, updatedReplicas = 0 } = (status ?? {}) as Record<string, number>
  return observedGeneration >= (metadata.generation ?? 0) && readyReplicas >= replicas && updatedReplicas >= replicas
}
