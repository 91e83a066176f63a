/** Health checks of what applications ask: the schema registry, Keycloak, OpenBao, and who checks all of it from outside. */
import type { KubeObject } from '../types.ts'
import { type CheckFile, checkedAs, everyOne, type PlatformCheck, ready } from './platform-check.ts'
import { conditionOf, holds, hostsOf, kafkaHosts, type PlatformKind, type PlatformSeen } from './platform-facts.ts'

interface Probed {
  replicas?: number
  template?: { spec?: { containers?: { readinessProbe?: { httpGet?: { path?: string } } }[] } }
}

/** The kubelet asks each instance's /health path every ten seconds: those that are ready answered with 200. */
export function registryChecks({ facts: { registries, registryDeployments } }: PlatformSeen): PlatformCheck[] {
  const health = (): PlatformCheck => {
    const name = 'health'
    if (!registryDeployments.ok)
      return { name, state: 'unknown', detail: `its Deployments can't be read: ${registryDeployments.detail}` }
    return everyOne(name, registryDeployments, {
      what: 'Deployment of a registry',
      wrong: ({ spec, status }) => {
        const { replicas = 1, template } = (spec ?? {}) as Probed
        const paths = template?.spec?.containers?.map((one) => one.readinessProbe?.httpGet?.path ?? '') ?? []
        if (!paths.some((path) => path.startsWith('/health'))) return 'nobody asks its /health'
        const up = Number(status?.readyReplicas ?? 0)
        return up >= replicas && up > 0 ? undefined : `/health answers 200 on ${up} of ${replicas} instances`
      },
      well: () => '/health answers 200',
    })
  }
  return [
    everyOne('ready', registries, { what: 'ApicurioRegistry3', wrong: ready, well: (n) => `${n} Ready` }),
    health(),
  ]
}

export function keycloakChecks({ facts: { keycloaks, realms, routes } }: PlatformSeen): PlatformCheck[] {
  const console = (): PlatformCheck => {
    const name = 'console'
    if (!routes.ok) return { name, state: 'unknown', detail: `routes can't be read: ${routes.detail}` }
    return everyOne(name, keycloaks, {
      what: 'Keycloak',
      wrong: ({ metadata }) => {
        const leading = routes.value.filter(
          (route) => hostsOf([route], metadata.namespace ?? '', `${metadata.name}-service`).length > 0,
        )
        if (leading.length === 0) return 'no route leads to its console'
        return leading.every(isAccepted) ? undefined : 'the gateway does not take its route'
      },
      well: () => 'the console has a way in',
    })
  }
  return [
    everyOne('ready', keycloaks, { what: 'Keycloak', wrong: ready, well: (n) => `${n} Ready` }),
    console(),
    everyOne('realm', realms, {
      what: 'KeycloakRealmImport',
      wrong: (one) => {
        if (conditionOf(one, 'HasErrors')?.status === 'True') return conditionOf(one, 'HasErrors')?.message || 'failed'
        return holds(one, 'Done') ? undefined : conditionOf(one, 'Done')?.message || 'not imported yet'
      },
      well: (n) => `${n} realms are in its database`,
    }),
  ]
}

interface RouteParent {
  conditions?: { type: string; status: string }[]
}

const isAccepted = ({ status }: KubeObject): boolean => {
  const parents = (status?.parents ?? []) as RouteParent[]
  const holdsOf = (parent: RouteParent, type: string) =>
    parent.conditions?.some((one) => one.type === type && one.status === 'True') === true
  return parents.length > 0 && parents.every((one) => holdsOf(one, 'Accepted') && holdsOf(one, 'ResolvedRefs'))
}

/** `service_registration "kubernetes"` of OpenBao writes these labels on its pods. Only the active one reads and writes secrets. */
export function vaultChecks({ facts: { vaults, vaultPods } }: PlatformSeen): PlatformCheck[] {
  const label = (pod: KubeObject, key: string) => pod.metadata.labels?.[`openbao-${key}`]
  const says = (key: string, wanted: string, what: string) => (pod: KubeObject) => {
    const value = label(pod, key)
    if (value === undefined) return 'does not say: it has not started, or lacks service_registration'
    return value === wanted ? undefined : what
  }
  const what = 'pod of OpenBao'
  const active = (): PlatformCheck => {
    const name = 'usable'
    if (!vaults.ok) return { name, state: 'unknown', detail: `StatefulSets can't be read: ${vaults.detail}` }
    if (!vaultPods.ok) return { name, state: 'unknown', detail: `pods can't be read: ${vaultPods.detail}` }
    return everyOne(name, vaults, {
      what: 'OpenBao',
      wrong: (set) => {
        const own = vaultPods.value.filter(({ metadata }) => metadata.namespace === set.metadata.namespace)
        const leads = own.filter((pod) => label(pod, 'active') === 'true')
        if (leads.length !== 1) return `${leads.length} of its servers are active, not one`
        return leads.every((pod) => holds(pod, 'Ready')) ? undefined : 'the active server is not ready'
      },
      well: () => 'one server reads and writes secrets',
    })
  }
  return [
    everyOne('initialized', vaultPods, {
      what,
      wrong: says('initialized', 'true', 'is not initialized: k8sops platform openbao-init'),
      well: () => 'initialized',
    }),
    everyOne('unsealed', vaultPods, { what, wrong: says('sealed', 'false', 'is sealed'), well: () => 'unsealed' }),
    active(),
  ]
}

/** Where services of a platform stand: what has a host there has to be checked. */
const homes: PlatformKind[] = ['kafkas', 'registries', 'keycloaks', 'vaults']

export function gatusChecks({ facts, results }: PlatformSeen): PlatformCheck[] {
  const { checkers, checks, routes, buckets } = facts
  const addresses = (): string[] | undefined => {
    if (!routes.ok || !buckets.ok) return undefined
    const spaces = new Set(
      homes.flatMap((kind) => (facts[kind].ok ? facts[kind].value : [])).map((one) => one.metadata.namespace),
    )
    const hosts = routes.value
      .filter(({ metadata }) => spaces.has(metadata.namespace))
      .flatMap(({ spec }) => (spec?.hostnames ?? []) as string[])
    const endpoints = buckets.value.map(({ data }) => String((data as CheckFile | undefined)?.endpoint ?? ''))
    const brokers = (facts.kafkas.ok ? facts.kafkas.value : []).flatMap(kafkaHosts)
    return [...new Set([...hosts, ...brokers, ...endpoints])].filter(Boolean)
  }
  const wanted = addresses()
  const covered = (): PlatformCheck => {
    const name = 'coverage'
    if (!checks.ok) return { name, state: 'unknown', detail: `checks can't be read: ${checks.detail}` }
    if (!wanted) return { name, state: 'unknown', detail: "what the platform's addresses are can't be read" }
    if (wanted.length === 0) return { name, state: 'fail', detail: 'the platform has no address to check' }
    const blind = wanted.filter((address) => checkedAs(checks.value, address).length === 0)
    if (blind.length > 0) return { name, state: 'fail', detail: `nobody checks ${blind.join(', ')}` }
    return { name, state: 'ok', detail: `${wanted.length} addresses are checked` }
  }
  const answers = (): PlatformCheck => {
    const name = 'results'
    if (!results.ok) return { name, state: 'unknown', detail: results.detail }
    const names = new Set((wanted ?? []).flatMap((address) => checkedAs(checks.ok ? checks.value : [], address)))
    const own = results.value.filter((one) => names.has(one.name))
    const failed = own.filter(({ success }) => !success)
    if (failed.length > 0) return { name, state: 'fail', detail: `fails: ${failed.map((one) => one.name).join(', ')}` }
    if (own.length < names.size || own.length === 0)
      return { name, state: 'unknown', detail: `Gatus has tried ${own.length} of ${names.size} so far` }
    return { name, state: 'ok', detail: `${own.length} checks succeed` }
  }
  return [
    everyOne('running', checkers, {
      what: 'Deployment of Gatus',
      wrong: (one) => (holds(one, 'Available') ? undefined : 'is not available'),
      well: () => 'Gatus runs',
    }),
    covered(),
    answers(),
  ]
}
