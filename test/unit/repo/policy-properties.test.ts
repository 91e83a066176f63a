import { expect, test } from 'vitest'
import { explain, type Verdict } from '../../../src/lib/repo/policy/evaluate.ts'
import type { Endpoint, Protocol } from '../../../src/lib/repo/policy/model.ts'
import { nodeEndpoint, podLabels, worldEndpoint } from '../../../src/lib/repo/policy/pods.ts'
import { readPolicies } from '../../../src/lib/repo/policy/read.ts'
import type { KubeObject } from '../../../src/lib/types.ts'
import {
  type Bag,
  harm,
  may,
  NS,
  NSL,
  type Party,
  type Raw,
  type RawSpec,
  spaces,
  worse,
} from '../../helpers/policy-oracle.ts'
import { fc } from '../../helpers/seeded-check.ts'

/* What is generated: few words, so that they meet often. */
const app = fc.constantFrom('x', 'y')
const space = fc.constantFrom('red', 'blue')
const podSelector = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 4, arbitrary: fc.record({ matchLabels: fc.record({ app }) }) },
  fc.record({ matchLabels: fc.record({ app, role: fc.constantFrom('p', 'q') }) }),
  fc.record({
    matchExpressions: fc.tuple(
      fc.oneof(
        fc.record({
          key: fc.constantFrom('app', 'role'),
          operator: fc.constantFrom('In', 'NotIn'),
          values: fc.uniqueArray(fc.constantFrom('x', 'y', 'p', 'q'), { minLength: 1 }),
        }),
        fc.record({ key: fc.constantFrom('app', 'role'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
      ),
    ),
  }),
)
const spaced = fc.oneof(
  fc.record({ matchLabels: fc.record({ [`k8s:${NS}`]: space, app }) }),
  fc.record({ matchLabels: fc.record({ [`k8s:${NSL}tier`]: fc.constantFrom('web', 'data') }) }),
  fc.record({ matchExpressions: fc.constant([{ key: `k8s:${NS}`, operator: 'Exists' }]) }),
  fc.record({
    matchExpressions: fc.constant([
      { key: `k8s:${NSL}closed`, operator: 'DoesNotExist' },
      { key: `k8s:${NS}`, operator: 'Exists' },
    ]),
  }),
)
const peerSelector = fc.oneof(podSelector, spaced)
const cidr = fc.constantFrom('0.0.0.0/0', '10.0.0.0/8', '203.0.113.0/24', '203.0.113.7/32')
const ports = fc.array(
  fc.record({
    port: fc.constantFrom('80', '443'),
    protocol: fc.constantFrom('TCP', 'UDP', 'ANY'),
    endPort: fc.constantFrom(undefined, 500),
  }),
  { minLength: 1, maxLength: 2 },
)
const toPorts = (rules: boolean) =>
  fc.array(
    fc.record({
      ports,
      ...(rules ? { rules: fc.option(fc.constant({ http: [{}] }), { nil: undefined, freq: 3 }) } : {}),
    }),
    { maxLength: 1 },
  )
const peers = (side: 'from' | 'to'): fc.Arbitrary<object> =>
  fc.oneof(
    fc.record({ [`${side}Endpoints`]: fc.array(peerSelector, { maxLength: 2 }) }),
    fc.record({
      [`${side}Entities`]: fc.array(fc.constantFrom('all', 'world', 'cluster', 'host', 'remote-node'), {
        maxLength: 2,
      }),
    }),
    fc.record({ [`${side}CIDR`]: fc.array(cidr, { minLength: 1, maxLength: 1 }) }),
    fc.record({
      [`${side}CIDRSet`]: fc.array(fc.record({ cidr, except: fc.array(cidr, { maxLength: 1 }) }), {
        minLength: 1,
        maxLength: 1,
      }),
    }),
    ...(side === 'to'
      ? [
          fc.record({
            toFQDNs: fc.constantFrom(
              [{ matchName: 'api.example.org' }],
              [{ matchPattern: '*.example.org' }],
              [{ matchName: 'other.net' }],
            ),
          }),
        ]
      : []),
    fc.constant({}),
  )
const ciliumRule = (side: 'from' | 'to', deny: boolean): fc.Arbitrary<object> =>
  fc
    .tuple(peers(side), fc.option(toPorts(!deny), { nil: undefined }))
    .map(([who, where]) => ({ ...who, ...(where ? { toPorts: where } : {}) }))
const rules = (side: 'from' | 'to', deny: boolean) => fc.array(ciliumRule(side, deny), { maxLength: 2 })
const ciliumSpec = (subject: fc.Arbitrary<object>) =>
  fc.record(
    {
      endpointSelector: subject,
      ingress: rules('from', false),
      egress: rules('to', false),
      ingressDeny: fc.array(ciliumRule('from', true), { maxLength: 1 }),
      egressDeny: fc.array(ciliumRule('to', true), { maxLength: 1 }),
      enableDefaultDeny: fc.record({ ingress: fc.boolean(), egress: fc.boolean() }, { requiredKeys: [] }),
    },
    { requiredKeys: ['endpointSelector'] },
  )
const cilium = fc.record({
  apiVersion: fc.constant('cilium.io/v2'),
  kind: fc.constant('CiliumNetworkPolicy'),
  metadata: fc.record({ name: fc.constant('one'), namespace: space }),
  spec: ciliumSpec(podSelector),
})
const clusterwide = fc.record({
  apiVersion: fc.constant('cilium.io/v2'),
  kind: fc.constant('CiliumClusterwideNetworkPolicy'),
  metadata: fc.record({ name: fc.constant('all') }),
  specs: fc.array(ciliumSpec(peerSelector), { minLength: 1, maxLength: 2 }),
})
const kubernetesRule = (side: 'from' | 'to') =>
  fc.record(
    {
      [side]: fc.array(
        fc.oneof(
          fc.record(
            {
              podSelector,
              namespaceSelector: fc.constantFrom(
                {},
                { matchLabels: { tier: 'web' } },
                { matchExpressions: [{ key: 'closed', operator: 'Exists' }] },
              ),
            },
            { requiredKeys: [] },
          ),
          fc.record({ ipBlock: fc.record({ cidr, except: fc.array(cidr, { maxLength: 1 }) }) }),
        ),
        { maxLength: 2 },
      ),
      ports: fc
        .array(
          fc.record(
            {
              port: fc.constantFrom(80, 443),
              protocol: fc.constantFrom('TCP', 'UDP'),
              endPort: fc.constantFrom(undefined, 500),
            },
            { requiredKeys: [] },
          ),
          { maxLength: 1 },
        )
        .map((list) =>
          list.map(({ endPort, ...one }) =>
            one.port === undefined ? one : { ...one, ...(endPort ? { endPort } : {}) },
          ),
        ),
    },
    { requiredKeys: [] },
  )
const kubernetes = fc.record({
  apiVersion: fc.constant('networking.k8s.io/v1'),
  kind: fc.constant('NetworkPolicy'),
  metadata: fc.record({ name: fc.constant('np'), namespace: space }),
  spec: fc.record(
    {
      podSelector,
      policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
      ingress: fc.array(kubernetesRule('from'), { maxLength: 2 }),
      egress: fc.array(kubernetesRule('to'), { maxLength: 2 }),
    },
    { requiredKeys: ['podSelector'] },
  ),
})
const manifest = fc.oneof(cilium, clusterwide, kubernetes)

const pods = ['red', 'blue'].flatMap((namespace) =>
  [{ app: 'x' }, { app: 'y', role: 'p' }, { role: 'q' }].map((labels) => ({ namespace, labels: labels as Bag })),
)
const parties: { endpoint: Endpoint; party: Party[] }[] = [
  ...pods.map(({ namespace, labels }) => {
    const ofSpace = { ...spaces[namespace], 'kubernetes.io/metadata.name': namespace }
    const bag = {
      ...labels,
      [NS]: namespace,
      ...Object.fromEntries(Object.entries(ofSpace).map(([key, value]) => [`${NSL}${key}`, value])),
    }
    return {
      endpoint: {
        kind: 'pod' as const,
        text: `${namespace}/${JSON.stringify(labels)}`,
        variants: [podLabels({ namespace, labels }, ofSpace)],
      },
      party: [{ kind: 'pod' as const, space: namespace, bag }],
    }
  }),
  {
    endpoint: nodeEndpoint('node'),
    party: [
      { kind: 'host', bag: {} },
      { kind: 'remote', bag: {} },
    ],
  },
  {
    endpoint: worldEndpoint('203.0.113.7', { address: '203.0.113.7' }),
    party: [{ kind: 'outside', bag: {}, address: '203.0.113.7' }],
  },
  {
    endpoint: worldEndpoint('api.example.org', { hostname: 'api.example.org' }),
    party: [{ kind: 'outside', bag: {}, dns: 'api.example.org' }],
  },
  { endpoint: worldEndpoint('world'), party: [{ kind: 'outside', bag: {} }] },
]
const flows = [
  [80, 'TCP'],
  [443, 'UDP'],
  [450, 'TCP'],
] as [number, Protocol][]

const runs = process.env.K8SOPS_TEST_FULL ? 20_000 : 300

test('what is decided is what the naive reading of the manifests decides, at both ends of every connection', () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(manifest, { minLength: 1, maxLength: 4 }), (raw) => {
      const set = readPolicies(JSON.parse(JSON.stringify(raw)) as KubeObject[])
      const objects = JSON.parse(JSON.stringify(raw)) as Raw[]
      for (const from of parties)
        for (const to of parties)
          for (const [number, protocol] of flows) {
            const { verdict, egress, ingress } = explain(set, from.endpoint, to.endpoint, { number, protocol })
            const leaves = worse(
              to.party.map((one) => may(objects, 'egress', from.party[0] as Party, one, number, protocol)),
            )
            const arrives = worse(
              from.party.map((one) => may(objects, 'ingress', to.party[0] as Party, one, number, protocol)),
            )
            seen.set(verdict, (seen.get(verdict) ?? 0) + 1)
            const said = `${from.endpoint.text} -> ${to.endpoint.text} ${number}/${protocol}`
            expect({ said, egress: egress.verdict, ingress: ingress.verdict, verdict }).toEqual({
              said,
              egress: leaves,
              ingress: arrives,
              verdict: worse([leaves as Verdict, arrives as Verdict]),
            })
          }
    }),
    { numRuns: runs },
  )
  // A generator that never meets a policy would prove nothing.
  for (const verdict of harm) expect(seen.get(verdict) ?? 0).toBeGreaterThan(10 * runs)
})

test('a policy more that only allows never takes a connection away, and one that only denies never adds one', () => {
  const rank = (verdict: Verdict) => harm.indexOf(verdict)
  fc.assert(
    fc.property(fc.array(manifest, { maxLength: 3 }), cilium, (before, extra) => {
      const plain = (spec: object): KubeObject => JSON.parse(JSON.stringify({ ...extra, spec }))
      const { endpointSelector, ingress, egress, ingressDeny, egressDeny } = extra.spec as RawSpec
      const off = { ingress: false, egress: false }
      const allowing = plain({ endpointSelector, ingress, egress, enableDefaultDeny: off })
      const denying = plain({ endpointSelector, ingressDeny, egressDeny, enableDefaultDeny: off })
      const objects = JSON.parse(JSON.stringify(before)) as KubeObject[]
      const [old, more, less] = [[], [allowing], [denying]].map((added) => readPolicies([...objects, ...added]))
      for (const { endpoint: from } of parties)
        for (const { endpoint: to } of parties) {
          const port = { number: 80, protocol: 'TCP' as const }
          const [a, b, c] = [old, more, less].map((set) => rank(explain(set!, from, to, port).verdict)) as [
            number,
            number,
            number,
          ]
          expect(b).toBeLessThanOrEqual(a)
          expect(c).toBeGreaterThanOrEqual(a)
        }
    }),
    { numRuns: 300 },
  )
})
