/** What a connectivity test has shown, out of what its parts left on the cluster. Nothing that was not seen is taken for a success. Pure. */
import type { CheckRow } from '../tools/connectivity-record.args.ts'
import type { KubeObject } from '../types.ts'
import { type Ask, answersOf, askText, type ProbeCheck, probeChecks } from './connectivity-asks.ts'
import { roleLabel } from './connectivity-probes.ts'

interface Answered {
  ask: Ask
  /** Undefined: nothing was heard of it. */
  answer: string | undefined
  /** Why not; and whether that is the network's fault. */
  silence: string
  broken: boolean
  pod: string
}

const shownLines = 5
const listed = (lines: string[]): string =>
  [...lines.slice(0, shownLines), ...(lines.length > shownLines ? [`and ${lines.length - shownLines} more`] : [])].join(
    '; ',
  )

/** @param pods of the probes' namespace @returns a row for each check of the probes, and one for the default deny */
export function judgeProbes(pods: KubeObject[]): CheckRow[] {
  const of = (role: string) => pods.filter(({ metadata }) => metadata.labels?.[roleLabel] === role).flatMap(answeredOf)
  const open = of('open')
  return [...probeChecks.map((check) => judgeCheck(check, open)), judgeDenied(of('closed'), open)]
}

function answeredOf(pod: KubeObject): Answered[] {
  const { containers = [] } = (pod.spec ?? {}) as { containers?: { args?: string[] }[] }
  const asks = asksOf(containers[0]?.args?.at(-1))
  const { phase, containerStatuses = [] } = (pod.status ?? {}) as {
    phase?: string
    containerStatuses?: {
      state?: { waiting?: { reason?: string }; terminated?: { message?: string; exitCode?: number } }
    }[]
  }
  const state = containerStatuses[0]?.state
  const answers = answersOf(state?.terminated?.message, asks.length)
  const started = phase !== 'Pending' && phase !== undefined
  const silence = state?.terminated
    ? `the probe ended with ${state.terminated.exitCode}: ${lastLine(state.terminated.message)}`
    : started
      ? 'a pod was started, and no process in it has said anything'
      : `the pod was never started: ${state?.waiting?.reason ?? phase ?? 'no phase'}`
  return asks.map((ask, index) => ({
    ask,
    answer: answers?.[index],
    silence,
    broken: !started,
    pod: pod.metadata.name,
  }))
}

function asksOf(text: string | undefined): Ask[] {
  try {
    const asks = JSON.parse(text ?? '') as unknown
    return Array.isArray(asks) ? (asks as Ask[]) : []
  } catch {
    return []
  }
}

const lastLine = (text: string | undefined) => text?.trim().split('\n').at(-1)?.slice(0, 160) ?? 'nothing'

const nothingToAsk: Record<ProbeCheck, string> = {
  'dns-inside': 'no probe was started',
  'dns-split': 'no route of a Gateway has a host and an address',
  routes: 'no route of a Gateway has a host and an address',
  egress: 'the settings of the cluster name no https origin',
  mtu: 'there is one node only, or Cilium says no MTU (ConfigMap kube-system/cilium-config)',
}

function judgeCheck(check: ProbeCheck, open: Answered[]): CheckRow {
  const own = open.filter(({ ask }) => ask.check === check)
  const [first] = own
  if (!first) return { check, state: 'unproven', detail: nothingToAsk[check] }
  const silent = own.filter(({ answer }) => answer === undefined)
  const failed = [
    ...own
      .filter(({ answer }) => answer !== undefined && answer !== '')
      .map((one) => `${one.pod}: ${askText(one.ask)}: ${one.answer}`),
    ...silences(silent.filter(({ broken }) => broken)),
  ]
  if (failed.length > 0) return { check, state: 'failed', detail: listed(failed) }
  if (silent.length > 0) return { check, state: 'unproven', detail: listed(silences(silent)) }
  return {
    check,
    state: 'passed',
    detail: `${own.length} asked: ${listed([...new Set(own.map(({ ask }) => askText(ask)))])}`,
  }
}

/** Each reason once, with the pods of which it is true. */
const silences = (silent: Answered[]): string[] =>
  [...Map.groupBy(silent, ({ silence }) => silence)].map(
    ([silence, all]) => `${[...new Set(all.map(({ pod }) => pod))].join(', ')}: ${silence}`,
  )

/** That nothing is heard is a denial only where somebody who may is answered. */
function judgeDenied(closed: Answered[], open: Answered[]): CheckRow {
  const check = 'default-deny'
  const allowed = (ask: Ask) => open.some((one) => JSON.stringify(one.ask) === JSON.stringify(ask) && one.answer === '')
  const comparable = closed.filter(({ ask, answer }) => answer !== undefined && allowed(ask))
  const through = closed
    .filter(({ answer }) => answer === '')
    .map(({ ask }) => `${askText(ask)} answers a pod that nothing allows`)
  if (through.length > 0) return { check, state: 'failed', detail: listed(through) }
  if (comparable.length === 0)
    return {
      check,
      state: 'unproven',
      detail: closed[0] && closed[0].answer === undefined ? closed[0].silence : 'what is to be denied answers nobody',
    }
  return { check, state: 'passed', detail: `denied: ${listed(comparable.map(({ ask }) => askText(ask)))}` }
}

interface NodeSessions {
  node: string
  established: boolean
  states: string[]
  advertised: number
  isTold: boolean
}

const unannounced = (service: KubeObject) => service.metadata.labels?.['k8sops.dev/bgp-advertise'] === 'false'

/** Every address of a Service of type LoadBalancer, and the nodes from which it is announced. @param objects Services, EndpointSlices, CiliumBGPNodeConfigs */
export function judgeAnnouncements(objects: KubeObject[]): CheckRow[] {
  const services = objects
    .filter(({ kind, spec }) => kind === 'Service' && spec?.type === 'LoadBalancer')
    .filter((one) => !unannounced(one))
  return [judgeAddresses(services), judgeBgp(services, objects)]
}

function judgeAddresses(services: KubeObject[]): CheckRow {
  const check = 'lb-addresses'
  if (services.length === 0) return { check, state: 'unproven', detail: 'no Service is of type LoadBalancer' }
  const without = services.filter((service) => addressesOf(service).length === 0).map(titleOf)
  if (without.length > 0) return { check, state: 'failed', detail: `without an address: ${listed(without)}` }
  return {
    check,
    state: 'passed',
    detail: listed(services.map((one) => `${addressesOf(one).join(', ')} (${titleOf(one)})`)),
  }
}

function judgeBgp(services: KubeObject[], objects: KubeObject[]): CheckRow {
  const check = 'lb-announced'
  const say = (state: CheckRow['state'], detail: string): CheckRow => ({ check, state, detail })
  const sessions = objects.filter(({ kind }) => kind === 'CiliumBGPNodeConfig').map(sessionsOf)
  const told = sessions.filter(({ isTold }) => isTold)
  if (told.length === 0) return say('unproven', 'no node tells of a BGP session (CiliumBGPNodeConfig)')
  const down = sessions
    .filter(({ established }) => !established)
    .map(({ node, states }) => `${node}: ${states.join(', ') || 'tells nothing'}`)
  if (down.length > 0) return say('failed', `no session: ${listed(down)}`)
  const addressed = services.filter((service) => addressesOf(service).length > 0)
  if (addressed.length === 0) return say('unproven', 'no Service has an address to be announced')
  const from = addressed.map((service) => ({
    service,
    nodes: announcers(
      service,
      objects,
      sessions.map(({ node }) => node),
    ),
  }))
  const nowhere = from
    .filter(({ nodes }) => nodes.length === 0)
    .map(({ service }) => `${titleOf(service)}: no node that it runs on has a session`)
  const short = sessions.flatMap(({ node, advertised }) => {
    const expected = from.filter(({ nodes }) => nodes.includes(node)).length
    return advertised < expected ? [`${node} announces ${advertised} routes, of ${expected} addresses`] : []
  })
  if (nowhere.length + short.length > 0) return say('failed', listed([...nowhere, ...short]))
  return say(
    'passed',
    listed(from.map(({ service, nodes }) => `${addressesOf(service).join(', ')} from ${nodes.join(', ')}`)),
  )
}

function sessionsOf({ metadata, status }: KubeObject): NodeSessions {
  const { bgpInstances = [] } = (status ?? {}) as {
    bgpInstances?: {
      peers?: { name: string; peeringState?: string; routeCount?: { afi: string; advertised?: number }[] }[]
    }[]
  }
  const all = bgpInstances.flatMap(({ peers = [] }) => peers)
  const up = all.filter(({ peeringState }) => peeringState === 'established')
  const counts = up.map(({ routeCount = [] }) =>
    routeCount.filter(({ afi }) => afi === 'ipv4').reduce((sum, { advertised = 0 }) => sum + advertised, 0),
  )
  return {
    node: metadata.name,
    established: up.length > 0,
    isTold: all.length > 0,
    states: all.map(({ name, peeringState = 'unknown' }) => `${name} ${peeringState}`),
    advertised: Math.max(0, ...counts),
  }
}

/** With externalTrafficPolicy Local only nodes with a ready endpoint announce the address. */
function announcers(service: KubeObject, objects: KubeObject[], nodes: string[]): string[] {
  if (service.spec?.externalTrafficPolicy !== 'Local') return nodes
  const { name, namespace } = service.metadata
  const slices = objects.filter(
    ({ kind, metadata }) =>
      kind === 'EndpointSlice' &&
      metadata.namespace === namespace &&
      metadata.labels?.['kubernetes.io/service-name'] === name,
  )
  const on = new Set(
    slices.flatMap((slice) =>
      (
        (slice as KubeObject & { endpoints?: { nodeName?: string; conditions?: { ready?: boolean } }[] }).endpoints ??
        []
      ).flatMap(({ nodeName, conditions }) =>
        nodeName !== undefined && conditions?.ready !== false ? [nodeName] : [],
      ),
    ),
  )
  return nodes.filter((node) => on.has(node))
}

const titleOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`

const addressesOf = ({ status }: KubeObject): string[] =>
  ((status?.loadBalancer as { ingress?: { ip?: string }[] } | undefined)?.ingress ?? []).flatMap(({ ip }) => ip ?? [])
