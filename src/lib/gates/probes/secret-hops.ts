/** Probes of how far a changed secret has come. Values are compared by digest, and stand in no verdict. */
import type { KubeObject, KubePort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { podReason } from '../pods.ts'
import type { GatePorts } from '../ports.ts'
import { secretDigest, shortDigest } from '../secret-digest.ts'
import { mountsOf, usesSecret } from '../secret-uses.ts'
import { unreadable } from '../unreadable.ts'

type SecretProbe = 'item-field-changed' | 'secret-changed' | 'secret-in-pods'

export function secretHopProbes(ports: GatePorts, kube: KubePort): Record<SecretProbe, Probe> {
  const readSecret = async (namespace: string, name: string, signal: AbortSignal) => {
    const read = await kube.list({ apiVersion: 'v1', kind: 'Secret', namespace, name }, signal)
    if (!read.ok && read.why !== 'not-found') return unreadable(read)
    const [secret] = read.ok ? read.value : []
    return secret ?? failed([`Secret ${namespace}/${name}: not there`])
  }

  return {
    async 'item-field-changed'({ reference = '', salt = '', digest = '' }, signal): Promise<Verdict> {
      const read = await ports.secretValue(reference, signal)
      if (!read.ok) return unreadable(read)
      const now = shortDigest(read.value, salt)
      return now === digest ? failed([`${reference} has the value that it had`]) : passed(`digest ${now}`)
    },

    async 'secret-changed'({ namespace = '', name = '', salt = '', digest = '' }, signal): Promise<Verdict> {
      const secret = await readSecret(namespace, name, signal)
      if ('status' in secret && !('metadata' in secret)) return secret as Verdict
      const now = secretDigest((secret as KubeObject).data, salt)
      if (now === digest) return failed([`Secret ${namespace}/${name} has the value that it had`])
      return passed(`digest ${now}, written at ${writtenAt(secret as KubeObject) ?? 'an unknown time'}`)
    },

    async 'secret-in-pods'({ namespace = '', name = '', atLeast = '0' }, signal): Promise<Verdict> {
      const [secret, pods] = await Promise.all([
        readSecret(namespace, name, signal),
        kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal),
      ])
      if ('status' in secret && !('metadata' in secret)) return secret as Verdict
      if (!pods.ok) return unreadable(pods)
      const users = pods.value.filter((pod) => isAlive(pod) && usesSecret(pod, name))
      if (users.length < Number(atLeast)) return failed([`no pod of ${namespace} uses Secret ${name}`])
      const since = writtenAt(secret as KubeObject)
      if (since === undefined)
        return {
          status: 'unknown',
          detail: `the API server does not tell when Secret ${namespace}/${name} was written`,
        }
      const reasons = await Promise.all(users.map((pod) => reasonOf(pod, secret as KubeObject, since, signal)))
      const open = reasons.flatMap((reason) => reason ?? [])
      if (open.length === 0) return passed(`${users.length} pods have what was written at ${since}`)
      const status = open.every(({ unknown }) => unknown) ? 'unknown' : 'fail'
      const lines = open.map(({ line }) => line)
      return { status, detail: lines.join('; '), waitingFor: lines }
    },
  }

  /** Started since, or its mounted files have the value by now. */
  async function reasonOf(pod: KubeObject, secret: KubeObject, since: string, signal: AbortSignal) {
    const { namespace = '', name, deletionTimestamp } = pod.metadata
    const title = `Pod ${namespace}/${name}`
    if (Date.parse(startedAt(pod)) >= Date.parse(since)) {
      const why = podReason(pod)
      return why === undefined ? undefined : { line: `${title}: ${why}`, unknown: false }
    }
    if (deletionTimestamp !== undefined) return { line: `${title}: has the old value, and ends`, unknown: false }
    const mounts = mountsOf(pod, secret)
    if (!mounts) return { line: `${title}: started before Secret ${secret.metadata.name} was written`, unknown: false }
    for (const { container, files } of mounts) {
      const paths = Object.keys(files)
      const digests = await ports.fileDigests({ namespace, pod: name, container }, paths, signal)
      if (!digests.ok) return { line: `${title}: its files can't be read: ${digests.detail}`, unknown: true }
      const old = paths.find((path) => digests.value[path] !== files[path])
      if (old !== undefined) return { line: `${title}: ${old} has the old value`, unknown: false }
    }
    return undefined
  }
}

/** When the first of its containers that run now began: one that waited for the Secret, or was restarted in place, has read it then. */
function startedAt({ metadata, status }: KubeObject): string {
  const containers = (status?.containerStatuses ?? []) as { state?: { running?: { startedAt?: string } } }[]
  const starts = containers.flatMap(({ state }) => state?.running?.startedAt ?? []).toSorted()
  return starts[0] ?? metadata.creationTimestamp ?? ''
}

const isAlive = ({ status }: KubeObject) => !['Succeeded', 'Failed'].includes(String(status?.phase ?? ''))

/**
 * When the data last changed, by the API server's own record of who wrote which fields; a refresh that changes nothing is none. Undefined where
 * that record is not kept: when the Secret was made says nothing about its value.
 */
function writtenAt({ metadata }: KubeObject): string | undefined {
  const all = metadata.managedFields ?? []
  const ofData = all.filter(({ fieldsV1 = {} }) => 'f:data' in fieldsV1 || 'f:stringData' in fieldsV1)
  const newest = (ofData.length > 0 ? ofData : all).flatMap(({ time }) => time ?? []).toSorted()
  return newest.at(-1)
}

const passed = (detail: string): Verdict => ({ status: 'pass', detail })
const failed = (lines: string[]): Verdict => ({ status: 'fail', detail: lines.join('; '), waitingFor: lines })
