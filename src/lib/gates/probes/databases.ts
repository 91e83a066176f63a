/** Probes of PostgreSQL that is saved and brought back. */
import type { KubeObject, KubePort, Verdict } from '../../types.ts'
import { oneLine, titleOf, valueAt } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'
import { progressText, waiting } from './backups.ts'

type DatabaseProbe = 'cnpg-applied-by-flux' | 'cnpg-backed-up' | 'cnpg-predecessor-gone' | 'cnpg-recovered'

const cluster = { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster' }
const restoredBy = 'metadata.annotations[k8sops.dev/restored-by]'
const reconcile = 'metadata.annotations[kustomize.toolkit.fluxcd.io/reconcile]'

interface ClusterStatus {
  phase?: string
  readyInstances?: number
}

export function databaseProbes({ now }: GatePorts, kube: KubePort): Record<DatabaseProbe, Probe> {
  /** Pods and claims of a Cluster, by the label that its operator sets. */
  const belonging = (
    kind: 'PersistentVolumeClaim' | 'Pod',
    namespace: string,
    name: string,
    signal: AbortSignal,
    more = '',
  ) => kube.list({ apiVersion: 'v1', kind, namespace, labelSelector: `cnpg.io/cluster=${name}${more}` }, signal)

  return {
    async 'cnpg-backed-up'({ namespace = '', name = '' }, signal): Promise<Verdict> {
      const read = await kube.list({ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Backup', namespace, name }, signal)
      if (!read.ok) return unreadable(read)
      const [backup] = read.value
      if (!backup) return waiting(`Backup ${namespace}/${name} is not there`)
      const { phase = 'new', error } = (backup.status ?? {}) as { phase?: string; error?: string }
      if (phase === 'completed') return { status: 'pass', detail: `${titleOf(backup)} is complete` }
      if (phase !== 'failed') return waiting(`${titleOf(backup)} is ${phase}`)
      // CloudNativePG tries a Backup once.
      return { ...waiting(`${titleOf(backup)} failed: ${oneLine(error) || 'no reason given'}`), final: true }
    },

    async 'cnpg-recovered'({ namespace = '', name = '', token = '', expectSec = '' }, signal): Promise<Verdict> {
      const read = await kube.list({ ...cluster, namespace, name }, signal)
      if (!read.ok) return unreadable(read)
      const [database] = read.value
      if (!database) return waiting(`Cluster ${namespace}/${name} is not there`)
      if (valueAt(database, restoredBy) !== token) return waiting(`${titleOf(database)} was not made by ${token}`)
      const { phase = 'not begun yet', readyInstances = 0 } = (database.status ?? {}) as ClusterStatus
      const wanted = Number(database.spec?.instances ?? 1)
      if (phase === 'Cluster in healthy state' && readyInstances === wanted)
        return {
          status: 'pass',
          detail: `${titleOf(database)}: ${phase}, ${readyInstances} of ${wanted} instances ready`,
        }
      const jobs = await belonging('Pod', namespace, name, signal, ',cnpg.io/jobRole=full-recovery')
      if (!jobs.ok) return unreadable(jobs)
      const failed = jobs.value.filter(({ status }) => status?.phase === 'Failed')
      // CloudNativePG's Job tries again by itself, and then gives up without a word in the Cluster: whoever waits decides.
      const said = failed.length > 0 ? `; its recovery failed ${failed.length} times${reasonOf(failed.at(-1))}` : ''
      const began = Date.parse(database.metadata.creationTimestamp ?? '')
      const progress = Number.isNaN(began) ? '' : `, ${progressText((now() - began) / 1000, Number(expectSec))}`
      return waiting(`${titleOf(database)}: ${phase}${progress}${said}`)
    },

    async 'cnpg-predecessor-gone'({ namespace = '', name = '', token = '' }, signal): Promise<Verdict> {
      const [databases, claims, pods] = await Promise.all([
        kube.list({ ...cluster, namespace, name }, signal),
        belonging('PersistentVolumeClaim', namespace, name, signal),
        belonging('Pod', namespace, name, signal),
      ])
      if (!databases.ok || !claims.ok || !pods.ok)
        return unreadable(...[databases, claims, pods].filter((one) => !one.ok))
      const [database] = databases.value
      if (database && valueAt(database, restoredBy) === token)
        return { status: 'pass', detail: `${titleOf(database)} is the one that ${token} has made` }
      // Its successor's first volume has the name that its own first one has.
      const lines = [
        ...(database ? [`${titleOf(database)} is there, and not by ${token}`] : []),
        ...[...pods.value, ...claims.value].map((one) => `${titleOf(one)} is still there`),
      ]
      if (lines.length > 0) return { status: 'fail', detail: lines.join('; '), waitingFor: lines }
      return { status: 'pass', detail: `nothing is left of ${namespace}/${name}` }
    },

    async 'cnpg-applied-by-flux'({ namespace = '', name = '', archive = '' }, signal): Promise<Verdict> {
      const read = await kube.list({ ...cluster, namespace, name }, signal)
      if (!read.ok) return unreadable(read)
      const [database] = read.value
      if (!database) return waiting(`Cluster ${namespace}/${name} is not there`)
      const plugins = (database.spec?.plugins ?? []) as {
        isWALArchiver?: boolean
        parameters?: { serverName?: string }
      }[]
      const written = plugins.find(({ isWALArchiver }) => isWALArchiver === true)?.parameters?.serverName ?? name
      if (written !== archive)
        return { status: 'fail', detail: `${titleOf(database)} archives as ${written}, not as ${archive}`, final: true }
      if (valueAt(database, reconcile) === 'disabled') return waiting(`Flux leaves ${titleOf(database)} alone`)
      return { status: 'pass', detail: `${titleOf(database)} archives as ${archive}` }
    },
  }
}

interface Terminated {
  state?: { terminated?: { exitCode?: number; message?: string } }
}

function reasonOf(pod: KubeObject | undefined): string {
  const containers = (pod?.status?.containerStatuses ?? []) as Terminated[]
  const message = containers.flatMap(({ state }) => state?.terminated?.message ?? [])[0]
  return message ? `: ${oneLine(message)}` : ''
}
