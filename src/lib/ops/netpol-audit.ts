/** The live network policies against the baseline in Git (FR24). Pure. */
import { fieldChanges } from '../repo/difference/fields.ts'
import { isFields, listAt } from '../repo/fields.ts'
import { explain } from '../repo/policy/evaluate.ts'
import { policyText } from '../repo/policy/model.ts'
import { podLabels, worldEndpoint } from '../repo/policy/pods.ts'
import { readPolicies } from '../repo/policy/read.ts'
import type { Json, KubeObject } from '../types.ts'
import { holderText, isExpired } from './hold.ts'
import { bypasses, neverClosed } from './netpol-bypass.ts'

export interface AuditInput {
  /** Policies that Git makes on this cluster. */
  baseline: KubeObject[]
  live: KubeObject[]
  namespaces: KubeObject[]
  /** Releases whose chart could not be rendered, as `namespace/name`: what they bring is not in the baseline. */
  notRendered: string[]
  /** What Hubble saw; undefined where there is none to ask. */
  flows?: PolicyFlows
}

export interface PolicyFlows {
  /** RFC 3339, of the oldest and the newest flow. */
  since: string
  until: string
  flows: number
  /** Policies by which one of the flows was allowed, as `Kind namespace/name`. */
  used: ReadonlySet<string>
}

export type AuditKind = 'missing' | 'extra' | 'changed' | 'open' | 'bypassed' | 'not-compared' | 'unused'

export interface AuditFinding {
  what: AuditKind
  name: string
  detail: string
  /** Counts as a difference (exit code 3). */
  drift: boolean
}

/** @param now milliseconds since 1970 */
export function auditPolicies(input: AuditInput, now: number): AuditFinding[] {
  const baseline = byName(input.baseline)
  const live = byName(input.live)
  return [
    ...[...baseline].flatMap(([name, wanted]) => compared(name, wanted, live.get(name))),
    ...[...live].filter(([name]) => !baseline.has(name)).map(([name, one]) => extra(name, one, input.notRendered)),
    ...openNamespaces(input, now),
    ...unused(input),
  ]
}

const byName = (objects: KubeObject[]): Map<string, KubeObject> =>
  new Map(
    objects.map((object) => {
      const { name, namespace } = object.metadata
      const space = namespace === undefined ? {} : { namespace }
      return [policyText({ kind: object.kind, name, ...space }), object]
    }),
  )

function compared(name: string, wanted: KubeObject, found: KubeObject | undefined): AuditFinding[] {
  if (!found) return [{ what: 'missing', name, detail: 'Git has it, the cluster does not', drift: true }]
  const changes = fieldChanges(rulesOf(wanted), rulesOf(found))
  const [first] = changes
  if (!first) return []
  const more = changes.length > 1 ? ` and ${changes.length - 1} more` : ''
  const said = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80))
  const detail = `${first.path.join('.')}: Git has ${said(first.before)}, the cluster ${said(first.after)}${more}`
  return [{ what: 'changed', name, detail, drift: true }]
}

/** What a policy says, with what the API server fills in for a NetworkPolicy. */
function rulesOf(object: KubeObject): Json {
  const { spec, specs } = object as KubeObject & { specs?: unknown }
  if (object.kind !== 'NetworkPolicy') return { spec: (spec ?? null) as Json, specs: (specs ?? null) as Json }
  const types = ['Ingress', ...(listAt(spec, 'egress').length > 0 ? ['Egress'] : [])]
  const given = listAt(spec, 'policyTypes')
  const rules = (direction: 'ingress' | 'egress') =>
    listAt(spec, direction).map((rule) => {
      if (!isFields(rule)) return rule
      const ports = listAt(rule, 'ports').map((port) => (isFields(port) ? { protocol: 'TCP', ...port } : port))
      return { ...rule, ...(ports.length > 0 ? { ports } : {}) }
    })
  return {
    podSelector: ((spec as { podSelector?: Json } | undefined)?.podSelector ?? {}) as Json,
    policyTypes: given.length > 0 ? given : types,
    ingress: rules('ingress') as Json,
    egress: rules('egress') as Json,
  }
}

/** What a release brings whose chart could not be had is nobody's mistake, and is not vouched for either. */
function extra(name: string, { metadata }: KubeObject, notRendered: string[]): AuditFinding {
  const labels = metadata.labels ?? {}
  const release = `${labels['helm.toolkit.fluxcd.io/namespace']}/${labels['helm.toolkit.fluxcd.io/name']}`
  if (notRendered.includes(release))
    return { what: 'not-compared', name, detail: `of release ${release}, whose chart was not rendered`, drift: false }
  const manager = metadata.managedFields?.at(-1)?.manager
  const by = manager === undefined ? '' : `, set by ${manager}`
  return { what: 'extra', name, detail: `the cluster has it, Git does not${by}`, drift: true }
}

/** Where a pod that nobody wrote a policy for may reach the Internet, or be reached. */
function openNamespaces({ live, namespaces }: AuditInput, now: number): AuditFinding[] {
  const set = readPolicies(live)
  const world = worldEndpoint('203.0.113.7', { address: '203.0.113.7' })
  const bypassed = new Map(bypasses(namespaces).map((view) => [view.namespace, view]))
  return namespaces.flatMap(({ metadata: { name, labels = {} } }): AuditFinding[] => {
    if (neverClosed.includes(name)) return []
    const view = bypassed.get(name)
    if (view) {
      const { hold } = view
      const detail = hold ? holderText(hold, now) : 'by a label that nobody left a note of'
      return [{ what: 'bypassed', name: `Namespace ${name}`, detail, drift: !hold || isExpired(hold, now) }]
    }
    const stranger = {
      kind: 'pod' as const,
      text: name,
      variants: [podLabels({ namespace: name, labels: {} }, { 'kubernetes.io/metadata.name': name, ...labels })],
    }
    const port = { number: 443, protocol: 'TCP' as const }
    const open = [
      ...(explain(set, stranger, world, port).egress.verdict === 'denied' ? [] : ['to the Internet']),
      ...(explain(set, world, stranger, port).ingress.verdict === 'denied' ? [] : ['from the Internet']),
    ]
    if (open.length === 0) return []
    const detail = `a pod that nobody wrote a policy for is open ${open.join(' and ')}`
    return [{ what: 'open', name: `Namespace ${name}`, detail, drift: true }]
  })
}

/** A short memory: Hubble keeps the last few thousand flows of each node. Worth a look, and no proof. */
function unused({ baseline, flows }: AuditInput): AuditFinding[] {
  if (!flows) return []
  const detail = `none of ${flows.flows} flows of ${flows.since} to ${flows.until} was allowed by it`
  return [...byName(baseline)]
    .filter(
      ([name, object]) =>
        !flows.used.has(name) && readPolicies([object]).rules.some(({ deny, peers }) => !deny && peers.length > 0),
    )
    .map(([name]) => ({ what: 'unused', name, detail, drift: false }))
}

/**
 * What `hubble observe --type policy-verdict -o jsonpb` of each agent printed: a JSON object a line (flow.proto of Cilium 1.19,
 * `egress_allowed_by` and `ingress_allowed_by`). Lines that are none are passed over. Undefined without a single flow.
 */
export function policyFlows(output: string): PolicyFlows | undefined {
  const used = new Set<string>()
  const times: string[] = []
  for (const line of output.split('\n')) {
    const flow = flowOf(line)
    if (!flow) continue
    times.push(String(flow.time ?? ''))
    for (const field of ['egress_allowed_by', 'ingress_allowed_by'])
      for (const one of listAt(flow, field)) {
        const { kind = '', name = '', namespace = '' } = one as { kind?: string; name?: string; namespace?: string }
        used.add(policyText({ kind, name, ...(namespace === '' ? {} : { namespace }) }))
      }
  }
  const sorted = times.toSorted()
  const [since, until] = [sorted[0], sorted.at(-1)]
  return since === undefined || until === undefined ? undefined : { since, until, flows: times.length, used }
}

function flowOf(line: string): { [key: string]: Json } | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { flow } = JSON.parse(line) as { flow?: Json }
    return isFields(flow) ? flow : undefined
  } catch {
    return undefined
  }
}
