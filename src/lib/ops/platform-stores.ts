/** Health checks of what keeps data for applications: PostgreSQL, Kafka, the S3 server. */
import type { KubeObject, Result } from '../types.ts'
import { type CheckFile, checkedAs, everyOne, type PlatformCheck, ready } from './platform-check.ts'
import { holds, type PlatformSeen } from './platform-facts.ts'

/** The table wants three. */
const replicasWanted = 3

interface PostgresStatus {
  readyInstances?: number
  currentPrimary?: string
  targetPrimary?: string
  phase?: string
  instancesStatus?: { healthy?: string[] }
}

export function postgresChecks({ facts: { postgres } }: PlatformSeen): PlatformCheck[] {
  const status = (one: KubeObject) => (one.status ?? {}) as PostgresStatus
  const instances = (one: KubeObject) => Number(one.spec?.instances ?? 0)
  const what = 'CloudNativePG Cluster'
  return [
    everyOne('ready', postgres, { what, wrong: ready, well: (n) => `${n} Ready` }),
    everyOne('replicas', postgres, {
      what,
      wrong: (one) => {
        const { readyInstances = 0 } = status(one)
        if (instances(one) < replicasWanted) return `${instances(one)} instances are wanted, not ${replicasWanted}`
        return readyInstances >= instances(one) ? undefined : `${readyInstances} of ${instances(one)} instances ready`
      },
      well: () => `${replicasWanted} instances or more`,
    }),
    everyOne('primary', postgres, {
      what,
      wrong: (one) => {
        const { currentPrimary, targetPrimary, phase, instancesStatus } = status(one)
        if (!currentPrimary) return 'has no primary'
        if (currentPrimary !== targetPrimary) return `${targetPrimary} is to take over from ${currentPrimary}`
        const fenced = String(one.metadata.annotations?.['cnpg.io/fencedInstances'] ?? '')
        if (fenced.includes('"*"') || fenced.includes(`"${currentPrimary}"`)) return `${currentPrimary} is fenced`
        const healthy = instancesStatus?.healthy
        if (healthy && !healthy.includes(currentPrimary)) return `the primary ${currentPrimary} is not healthy`
        return /healthy/.test(phase ?? '') ? undefined : (phase ?? 'has no phase')
      },
      well: () => 'the primary takes writes',
    }),
  ]
}

export function kafkaChecks({ facts: { kafkas, kafkaPods, topics } }: PlatformSeen): PlatformCheck[] {
  return [
    everyOne('ready', kafkas, { what: 'Kafka', wrong: ready, well: (n) => `${n} Ready` }),
    quorum(kafkas, kafkaPods),
    everyOne('topics', topics, { what: 'KafkaTopic', wrong: ready, well: (n) => `${n} topics are made` }),
  ]
}

/** KRaft's controllers vote: more than half of them keep the quorum, all of them make it healthy. */
function quorum(kafkas: Result<KubeObject[]>, pods: Result<KubeObject[]>): PlatformCheck {
  const name = 'quorum'
  if (!pods.ok) return { name, state: 'unknown', detail: `controllers can't be read: ${pods.detail}` }
  return everyOne(name, kafkas, {
    what: 'Kafka',
    wrong: (kafka) => {
      const state = kafka.status?.kafkaMetadataState
      if (state !== undefined && state !== 'KRaft') return `its metadata are in ${String(state)}, not in KRaft`
      const own = pods.value.filter(
        ({ metadata }) =>
          metadata.namespace === kafka.metadata.namespace &&
          metadata.labels?.['strimzi.io/cluster'] === kafka.metadata.name,
      )
      const up = own.filter((pod) => pod.metadata.deletionTimestamp === undefined && holds(pod, 'Ready')).length
      if (own.length === 0) return 'has no controllers'
      if (up === own.length) return undefined
      return `${up} of ${own.length} controllers are ready: ${up > own.length / 2 ? 'the quorum holds' : 'no quorum'}`
    },
    well: () => 'all controllers vote',
  })
}

export function s3Checks({ facts: { buckets, secretRequests, checks }, results }: PlatformSeen): PlatformCheck[] {
  const endpoint = (one: KubeObject) => String((one.data as CheckFile | undefined)?.endpoint ?? '')
  const what = 'ConfigMap with the label k8sops.dev/service=s3'
  const reached = (): PlatformCheck => {
    const name = 'reachable'
    if (!buckets.ok || buckets.value.length === 0) return { name, state: 'fail', detail: `there is no ${what}` }
    if (!checks.ok) return { name, state: 'unknown', detail: `checks can't be read: ${checks.detail}` }
    if (!results.ok) return { name, state: 'unknown', detail: `nobody says whether pods reach it: ${results.detail}` }
    const names = buckets.value.flatMap((one) => checkedAs(checks.value, endpoint(one)))
    if (names.length === 0) return { name, state: 'fail', detail: 'no check of Gatus tries its address' }
    const failed = results.value.filter((one) => names.includes(one.name) && !one.success)
    const tried = results.value.filter((one) => names.includes(one.name))
    if (tried.length === 0) return { name, state: 'unknown', detail: `Gatus has not tried ${names.join(', ')} yet` }
    if (failed.length > 0) return { name, state: 'fail', detail: `Gatus did not reach it at ${failed[0]?.at}` }
    return { name, state: 'ok', detail: `pods reach it (${tried.at(-1)?.at})` }
  }
  return [
    everyOne('facts', buckets, {
      what,
      wrong: (one) => (/^https?:\/\//.test(endpoint(one)) ? undefined : 'has no endpoint'),
      well: () => 'its address is known',
    }),
    keysCheck(buckets, secretRequests),
    reached(),
  ]
}

/** The keys are beside the facts: whatever External Secrets makes under the same name. */
function keysCheck(buckets: Result<KubeObject[]>, requests: Result<KubeObject[]>): PlatformCheck {
  const name = 'credentials'
  if (!requests.ok) return { name, state: 'unknown', detail: `ExternalSecrets can't be read: ${requests.detail}` }
  return everyOne(name, buckets, {
    what: 'address of an S3 server',
    wrong: ({ metadata }) => {
      const request = requests.value.find(
        (one) => one.metadata.namespace === metadata.namespace && one.metadata.name === metadata.name,
      )
      return request ? ready(request) : 'nothing makes a Secret with its keys'
    },
    well: () => 'keys are there',
  })
}
