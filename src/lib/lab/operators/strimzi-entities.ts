/**
 * Strimzi's operators of topics and users, which run beside a Kafka: KafkaTopics become Ready, KafkaUsers get their Secret. No topic
 * exists, and nobody is let in anywhere.
 */
import { randomBytes } from 'node:crypto'
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { type Condition, isTrue, nextConditions, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { type Operator, ownerReference, readSecret, startOperator } from './operator.ts'

const apiVersion = 'kafka.strimzi.io/v1beta2'
const fieldManager = 'strimzi-user-operator'
const retryMs = 1_000

interface UserSpec {
  authentication?: {
    type: string
    password?: { valueFrom?: { secretKeyRef?: { name: string; key: string } } }
  }
}

interface WatchedNamespaces {
  topicOperator?: { watchedNamespace?: string }
  userOperator?: { watchedNamespace?: string }
}

export function startStrimziEntities(lab: Lab, view: ClusterView): Operator {
  const operator = startOperator(lab, view, {
    name: 'strimzi-entity-operator',
    pod: { 'app.kubernetes.io/name': 'entity-operator' },
    kinds: [
      { apiVersion, kind: 'KafkaTopic', reconcile: reconcileTopic },
      { apiVersion, kind: 'KafkaUser', reconcile: reconcileUser },
    ],
  })
  const kafkas = operator.follow({ apiVersion, kind: 'Kafka' })

  /** The Kafka whose operator reads this object: its label names it, and that operator watches its namespace. */
  function clusterOf(object: KubeObject, part: 'topicOperator' | 'userOperator'): KubeObject | undefined {
    return kafkas.list.find(({ metadata, spec }) => {
      const { watchedNamespace = metadata.namespace } = (spec?.entityOperator as WatchedNamespaces)?.[part] ?? {}
      return (
        object.metadata.labels?.['strimzi.io/cluster'] === metadata.name &&
        object.metadata.namespace === watchedNamespace
      )
    })
  }

  async function reconcileTopic(topic: KubeObject): Promise<number | undefined> {
    const kafka = clusterOf(topic, 'topicOperator')
    // Another cluster's, or nobody's: no operator says so.
    if (!kafka) return undefined
    if (!isTrue(kafka, 'Ready')) return retryMs
    const { topicName = topic.metadata.name } = (topic.spec ?? {}) as { topicName?: string }
    await write(topic, condition('True'), {
      topicName,
      topicId: topic.status?.topicId ?? randomBytes(16).toString('base64url'),
    })
    return undefined
  }

  async function reconcileUser(user: KubeObject): Promise<number | undefined> {
    const kafka = clusterOf(user, 'userOperator')
    if (!kafka) return undefined
    if (!isTrue(kafka, 'Ready')) return retryMs
    const { name, namespace = '' } = user.metadata
    const { authentication } = user.spec as UserSpec
    if (authentication?.type !== 'scram-sha-512') {
      await write(user, condition('True'), { username: `CN=${name}` })
      return undefined
    }
    const password = await passwordOf(user, authentication)
    if (password === undefined) {
      const reference = authentication.password?.valueFrom?.secretKeyRef
      const message = `Secret ${reference?.name} with requested user password does not exist.`
      await write(user, condition('False', 'InvalidResourceException', message), { username: name })
      return retryMs
    }
    const jaas = `org.apache.kafka.common.security.scram.ScramLoginModule required username="${name}" password="${password}";`
    const encoded = Buffer.from(password).toString('base64')
    const before = await readSecret(view, namespace, name)
    if (before?.data?.password !== encoded) {
      const secret: Manifest = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name,
          namespace,
          labels: { 'strimzi.io/cluster': kafka.metadata.name, 'strimzi.io/kind': 'KafkaUser' },
          ownerReferences: [ownerReference(user as unknown as Manifest)],
        },
        stringData: { password, 'sasl.jaas.config': jaas },
      }
      await view.writer().apply(secret, fieldManager)
    }
    await write(user, condition('True'), { username: name, secret: name })
    return undefined
  }

  /** The one that the user names, the one that it has, or a new one of 32 characters. */
  async function passwordOf(
    { metadata }: KubeObject,
    { password }: NonNullable<UserSpec['authentication']>,
  ): Promise<string | undefined> {
    const reference = password?.valueFrom?.secretKeyRef
    const namespace = metadata.namespace ?? ''
    const secret = await readSecret(view, namespace, reference?.name ?? metadata.name)
    const encoded = secret?.data?.[reference?.key ?? 'password'] as string | undefined
    if (encoded) return Buffer.from(encoded, 'base64').toString('utf8')
    return reference ? undefined : randomBytes(24).toString('base64url')
  }

  async function write(object: KubeObject, verdict: Condition, details: object): Promise<void> {
    const conditions = nextConditions(object, [verdict]).map(({ observedGeneration: _, reason, message, ...rest }) => ({
      ...rest,
      ...(reason ? { reason, message } : {}),
    }))
    const status = { ...details, conditions, observedGeneration: object.metadata.generation }
    if (!statusHolds(object, status)) await view.writer().patchStatus(object, status)
  }

  return operator
}

const condition = (status: Condition['status'], reason = '', message = ''): Condition => ({
  type: 'Ready',
  status,
  reason,
  message,
})
