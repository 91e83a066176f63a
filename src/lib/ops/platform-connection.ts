/** A connection to one of a platform's services: addresses, settings, and where its secrets stand. */
import { GateError, UsageError } from '../errors.ts'
import type { KubeObject, Result } from '../types.ts'
import { fullName } from './platform-facts.ts'

export const connectServices = ['kafka', 'postgres', 'schema-registry', 'keycloak', 'openbao', 's3'] as const
export type ConnectService = (typeof connectServices)[number]

/** Key of a Secret. */
export interface SecretReference {
  namespace: string
  name: string
  key: string
}

/** One setting: its key in Spring Boot, its environment variable, and its value or where that stands. */
export interface Setting {
  spring: string
  env: string
  value: string | SecretReference
}

export interface Connection {
  service: ConnectService
  /** The object that serves it. */
  object: string
  addresses: { what: string; address: string }[]
  settings: Setting[]
  /** What else a client needs: a label, a topic, a right. */
  notes: string[]
}

export interface ConnectChoice {
  /** From outside of the cluster. */
  external: boolean
  /** A KafkaUser, a Database or a client of the realm: where there are several. */
  name?: string | undefined
}

/** Spring Boot's relaxed binding: dots become underscores, hyphens go away. */
export function setting(spring: string, value: string | SecretReference): Setting {
  return { spring, env: spring.replaceAll('-', '').replaceAll('.', '_').toUpperCase(), value }
}

export function listed(found: Result<KubeObject[]>, what: string): KubeObject[] {
  if (!found.ok) throw new GateError(`${what} can't be read: ${found.detail}`)
  return found.value
}

export const first = (found: Result<KubeObject[]>, what: string): KubeObject =>
  needed(listed(found, what)[0], `this cluster has no ${what}`)

export function one(found: KubeObject[], what: string, name: string | undefined): KubeObject {
  const named =
    name === undefined ? found : found.filter((each) => each.metadata.name === name || fullName(each) === name)
  const [only, ...more] = named
  const all = found.map(fullName).join(', ')
  if (!only)
    throw new GateError(name ? `there is no ${what} ${name}: ${all || 'none at all'}` : `this cluster has no ${what}`)
  if (more.length > 0) throw new UsageError(`which ${what}? ${all}`, { next: `--name ${only.metadata.name}` })
  return only
}

export function needed<T>(value: T | undefined, why: string): T {
  if (value === undefined) throw new GateError(why, { next: 'k8sops platform status' })
  return value
}
