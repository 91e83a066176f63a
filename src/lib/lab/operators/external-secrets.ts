/**
 * External Secrets' part: a store is valid once its token is there and Connect runs; an ExternalSecret becomes a Secret
 * with the throw-away values that the lab's `op` would read for the same references.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { KubeObject } from '../../types.ts'
import { type ClusterView, hasRunningPod } from '../kube/cluster-view.ts'
import { isTrue, now } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import { type OpSettings, opSettingsFile, opValue } from '../materialise/op.ts'
import type { Lab } from '../types.ts'
import { type Operator, readObject, readSecret, ready, report, startOperator } from './operator.ts'
import { fieldsOfItem, renderTemplate } from './secret-template.ts'

const apiVersion = 'external-secrets.io/v1'

interface StoreSpec {
  provider: {
    onepassword?: {
      connectHost: string
      vaults: Record<string, number>
      auth: { secretRef: { connectTokenSecretRef: { name: string; namespace?: string; key: string } } }
    }
    [provider: string]: unknown
  }
}

interface ExternalSecretSpec {
  refreshInterval?: string
  secretStoreRef?: { name: string; kind?: string }
  target?: {
    name?: string
    creationPolicy?: string
    template?: {
      type?: string
      data?: Record<string, string>
      metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
    }
  }
  data?: { secretKey: string; remoteRef: { key: string; property?: string } }[]
  dataFrom?: { extract?: { key: string } }[]
}

export function startExternalSecrets(lab: Lab, view: ClusterView): Operator {
  const operator = startOperator(lab, view, {
    name: 'external-secrets',
    pod: { 'app.kubernetes.io/name': 'external-secrets' },
    kinds: [
      { apiVersion, kind: 'ClusterSecretStore', reconcile: reconcileStore },
      { apiVersion, kind: 'SecretStore', reconcile: reconcileStore },
      { apiVersion, kind: 'ExternalSecret', reconcile: reconcileSecret },
    ],
    unplayed: [
      { apiVersion, kind: 'ClusterExternalSecret' },
      { apiVersion: 'external-secrets.io/v1alpha1', kind: 'PushSecret' },
    ],
  })
  // What was held back is looked at again. Connect's pod, or a store that has become valid, is what the others wait for.
  const endings = [
    lab.faults.onChange(() => operator.again('ExternalSecret')),
    view.onPods(() => {
      if (operator.objects('ClusterSecretStore').some((store) => !isTrue(store, 'Ready'))) operator.again()
    }),
  ]

  async function reconcileStore(store: KubeObject): Promise<number | undefined> {
    const { provider } = store.spec as unknown as StoreSpec
    const { onepassword } = provider
    if (!onepassword) {
      lab.log('external-secrets', `nobody plays the provider of ${store.metadata.name}: ${Object.keys(provider)}`)
      return undefined
    }
    const token = onepassword.auth.secretRef.connectTokenSecretRef
    const namespace = token.namespace ?? store.metadata.namespace ?? ''
    const secret = await readSecret(view, namespace, token.name)
    if (!secret?.data?.[token.key]) {
      const why = secret ? `cannot find secret data for key: "${token.key}"` : `secrets "${token.name}" not found`
      await report(view, store, [ready('False', 'InvalidProviderConfig', `unable to create client: ${why}`)])
      return 1_000
    }
    if (!connectAnswers(onepassword.connectHost)) {
      const message = `unable to validate store: dial ${onepassword.connectHost}: connection refused`
      await report(view, store, [ready('False', 'ValidationFailed', message)])
      return 1_000
    }
    await report(view, store, [ready('True', 'Valid', 'store validated')], { capabilities: 'ReadOnly' })
    // Only on the change: reconciling everything includes this store, which would never come to rest.
    if (!isTrue(store, 'Ready')) operator.again()
    return undefined
  }

  /** Connect in this cluster answers while its pod runs; one outside of it is taken to be there. */
  function connectAnswers(host: string): boolean {
    const [, namespace] = /^https?:\/\/[^./]+\.([^./]+)\.svc\b/.exec(host) ?? []
    return namespace === undefined || hasRunningPod(view, { 'app.kubernetes.io/component': 'connect' }, namespace)
  }

  async function reconcileSecret(object: KubeObject): Promise<number | undefined> {
    const spec = object.spec as unknown as ExternalSecretSpec
    const { namespace = '', name } = object.metadata
    const storeKind = spec.secretStoreRef?.kind ?? 'SecretStore'
    const storeName = spec.secretStoreRef?.name ?? ''
    const store = await readObject(view, {
      apiVersion,
      kind: storeKind,
      name: storeName,
      ...(storeKind === 'SecretStore' ? { namespace } : {}),
    })
    if (!store || !isTrue(store, 'Ready')) {
      const message = store ? `${storeKind} "${storeName}" is not ready` : `could not get ${storeKind} "${storeName}"`
      await report(view, object, [ready('False', 'SecretSyncedError', message)])
      return 1_000
    }
    const vault = Object.keys((store.spec as unknown as StoreSpec).provider.onepassword?.vaults ?? {})[0] ?? 'lab'
    const target = spec.target?.name ?? name
    // As External Secrets (2.4): for a spec, labels or annotations that it has not seen, for a Secret that is gone, at its interval.
    const version = syncedVersion(object)
    const synced = isTrue(object, 'Ready') && object.status?.syncedResourceVersion === version
    const leftMs = synced ? refreshLeftMs(object) : 0
    if (isTrue(object, 'Ready') && isStale(lab, `${namespace}/${name}`)) return 1_000
    if (synced && leftMs > 0 && (await readSecret(view, namespace, target))) return leftMs
    const values = await fetchValues(spec, vault)
    const { type, data, metadata } = spec.target?.template ?? {}
    const secret: Manifest = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: type ?? 'Opaque',
      metadata: {
        name: target,
        namespace,
        labels: { ...metadata?.labels, 'reconcile.external-secrets.io/managed': 'true' },
        annotations: { ...metadata?.annotations },
        ownerReferences: spec.target?.creationPolicy === 'Orphan' ? [] : [ownerOf(object)],
      },
      data: encoded(data ? renderTemplate(data, values) : values),
    }
    await view.writer().apply(secret, 'externalsecrets.external-secrets.io')
    await report(view, object, [ready('True', 'SecretSynced', 'secret synced')], {
      binding: { name: target },
      refreshTime: now(),
      syncedResourceVersion: version,
    })
    return refreshMs(spec)
  }

  function refreshLeftMs(object: KubeObject): number {
    const since = Date.parse(String(object.status?.refreshTime ?? ''))
    return Number.isNaN(since) ? 0 : since + refreshMs(object.spec as unknown as ExternalSecretSpec) - Date.now()
  }

  async function fetchValues(spec: ExternalSecretSpec, vault: string): Promise<Record<string, string>> {
    const settings = await opSettings(lab)
    const read = (item: string, field: string) => opValue(`op://${vault}/${item}/${field}`, settings)
    const values: Record<string, string> = {}
    for (const { extract } of spec.dataFrom ?? []) {
      if (!extract) continue
      const fields = await fieldsOfItem(lab.spec.root, extract.key, spec.target?.template?.data)
      for (const field of fields) values[field] = read(extract.key, field)
    }
    for (const { secretKey, remoteRef } of spec.data ?? []) {
      values[secretKey] = read(remoteRef.key, remoteRef.property ?? 'password')
    }
    return values
  }

  return {
    ...operator,
    stop() {
      for (const end of endings) end()
      operator.stop()
    },
  }
}

const encoded = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))

/** `5m`, `1h`; what is not told is an hour, and 0 is never. */
function refreshMs({ refreshInterval = '1h' }: ExternalSecretSpec): number {
  const [, amount = '1', unit = 'h'] = /^(\d+)(s|m|h)/.exec(refreshInterval) ?? []
  const ms = Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
  return ms === 0 ? 2 ** 31 - 1 : ms
}

/** `status.syncedResourceVersion`: the generation, and a digest of what else makes it look again. */
function syncedVersion({ metadata: { generation = 1, annotations = {}, labels = {} } }: KubeObject): string {
  const text = JSON.stringify([annotations, labels].map((map) => Object.entries(map).toSorted()))
  return `${generation}-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}

/** The fault `external-secret-stale`. */
function isStale(lab: Lab, name: string): boolean {
  const fault = lab.faults.active('external-secret-stale')
  return fault !== undefined && (fault.params?.name ?? name) === name
}

function ownerOf({ apiVersion, kind, metadata }: KubeObject) {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }
}

async function opSettings(lab: Lab): Promise<OpSettings> {
  const text = await readFile(opSettingsFile(lab.spec.dir), 'utf8').catch(() => undefined)
  return text === undefined
    ? { seed: lab.spec.name, ageKeyReference: '', ageIdentity: '' }
    : (JSON.parse(text) as OpSettings)
}
