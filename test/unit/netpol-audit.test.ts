/** Live policies against Git's, without a cluster; test/tools/netpol.test.ts does it with a real API server. */
import { expect, it } from 'vitest'
import { auditPolicies, policyFlows } from '../../src/lib/ops/netpol-audit.ts'
import { dig } from '../../src/lib/repo/fields.ts'
import type { KubeObject } from '../../src/lib/types.ts'

const now = Date.parse('2026-11-30T11:00:00Z')
const cilium = (name: string, spec: object, namespace?: string, more: object = {}): KubeObject => ({
  apiVersion: 'cilium.io/v2',
  kind: namespace ? 'CiliumNetworkPolicy' : 'CiliumClusterwideNetworkPolicy',
  metadata: { name, ...(namespace ? { namespace } : {}), ...more },
  spec: { ...spec },
})
const off = { enableDefaultDeny: { ingress: false, egress: false } }
const deny = cilium('default-deny', {
  endpointSelector: {
    matchExpressions: [
      { key: 'k8s:io.kubernetes.pod.namespace', operator: 'Exists' },
      { key: 'k8s:io.kubernetes.pod.namespace', operator: 'NotIn', values: ['kube-system'] },
      { key: 'k8s:io.cilium.k8s.namespace.labels.k8sops.dev/netpol-bypass', operator: 'DoesNotExist' },
    ],
  },
  ingress: [{}],
  egress: [{}],
})
const web = cilium(
  'web',
  { ...off, endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{ fromEndpoints: [{}] }] },
  'shop',
)
const namespace = (name: string, metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
})
const audit = (live: KubeObject[], more: Partial<Parameters<typeof auditPolicies>[0]> = {}) =>
  auditPolicies({ baseline: [deny, web], live, namespaces: [namespace('shop')], notRendered: [], ...more }, now).map(
    ({ what, name, drift, detail }) => `${drift ? '!' : ' '} ${what} ${name}: ${detail}`,
  )

it('finds nothing where the cluster has what Git has, whatever else the API server adds', () => {
  const live = [deny, { ...web, status: { conditions: [] }, metadata: { ...web.metadata, resourceVersion: '7' } }]
  expect(audit(live)).toEqual([])
})

it('tells what is missing, changed and extra, and where', () => {
  const wider = structuredClone(deny)
  const expressions = (dig(wider, 'spec.endpointSelector') as unknown as { matchExpressions: { values?: string[] }[] })
    .matchExpressions
  expressions[1]?.values?.push('shop')
  const mine = cilium('quick-fix', { endpointSelector: {}, ingress: [{ fromEntities: ['all'] }] }, 'shop', {
    managedFields: [{ manager: 'kubectl-edit' }],
  })
  expect(audit([wider, mine])).toEqual([
    '! changed CiliumClusterwideNetworkPolicy default-deny: spec.endpointSelector.matchExpressions.1.values.1: Git has nothing, the cluster "shop"',
    '! missing CiliumNetworkPolicy shop/web: Git has it, the cluster does not',
    '! extra CiliumNetworkPolicy shop/quick-fix: the cluster has it, Git does not, set by kubectl-edit',
    '! open Namespace shop: a pod that nobody wrote a policy for is open to the Internet and from the Internet',
  ])
})

it('does not vouch for what a chart brings that could not be rendered', () => {
  const labels = { 'helm.toolkit.fluxcd.io/name': 'web', 'helm.toolkit.fluxcd.io/namespace': 'shop' }
  const ofChart = {
    ...cilium('chart', { endpointSelector: {} }, 'shop'),
    metadata: { name: 'chart', namespace: 'shop', labels },
  }
  expect(audit([deny, web, ofChart], { notRendered: ['shop/web'] })).toEqual([
    '  not-compared CiliumNetworkPolicy shop/chart: of release shop/web, whose chart was not rendered',
  ])
  expect(audit([deny, web, ofChart])).toHaveLength(1)
})

it('shows a bypass with its holder, and counts it once its time is up or nobody left a note', () => {
  const bypassed = (annotations: Record<string, string>) =>
    audit([deny, web], {
      namespaces: [namespace('shop', { labels: { 'k8sops.dev/netpol-bypass': '1' }, annotations })],
    })
  const note = { 'k8sops.dev/hold-id': 'h', 'k8sops.dev/hold-owner': 'jane@desk', 'k8sops.dev/hold-reason': 'slow' }
  expect(bypassed({ ...note, 'k8sops.dev/hold-until': '2026-11-30T12:00:00Z' })).toEqual([
    '  bypassed Namespace shop: jane@desk until 12:00Z: slow',
  ])
  expect(bypassed({ ...note, 'k8sops.dev/hold-until': '2026-11-30T10:00:00Z' })[0]).toMatch(/^! bypassed .*expired/)
  expect(bypassed({})[0]).toMatch(/^! bypassed .*nobody left a note/)
})

it('takes what the API server fills in for no change of a NetworkPolicy', () => {
  const policy = (spec: object): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'np', namespace: 'shop' },
    spec: { ...spec },
  })
  const [asWritten, asRead] = [
    policy({ podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }),
    policy({ podSelector: {}, policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] }),
  ]
  expect(audit([deny, web, asRead], { baseline: [deny, web, asWritten] })).toEqual([])
})

it('tells which policies allowed none of the flows that Hubble remembers', () => {
  const flow = (time: string, by: object[]) =>
    JSON.stringify({ flow: { time, verdict: 'FORWARDED', ingress_allowed_by: by }, time })
  const output = [
    flow('2026-11-30T10:58:00Z', [{ kind: 'CiliumNetworkPolicy', name: 'web', namespace: 'shop', labels: [] }]),
    'a line that is no flow',
    flow('2026-11-30T10:59:00Z', []),
  ].join('\n')
  const flows = policyFlows(output)
  expect(flows).toMatchObject({ flows: 2, since: '2026-11-30T10:58:00Z', until: '2026-11-30T10:59:00Z' })
  const idle = cilium('idle', { ...off, endpointSelector: {}, egress: [{ toEntities: ['kube-apiserver'] }] }, 'shop')
  expect(audit([deny, web, idle], { baseline: [deny, web, idle], ...(flows ? { flows } : {}) })).toEqual([
    '  unused CiliumNetworkPolicy shop/idle: none of 2 flows of 2026-11-30T10:58:00Z to 2026-11-30T10:59:00Z was allowed by it',
  ])
  expect(policyFlows('')).toBeUndefined()
})
