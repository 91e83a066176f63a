/**
 * What `connectivity test` starts: a pod on each node that asks, and one that nothing is allowed to. Each writes its answers into its
 * termination message, so nothing has to be executed in it and no log be read. Pure.
 */

import type { ProbeChoice } from '../tools/connectivity.args.ts'
import { probeNamespace } from '../tools/connectivity-record.args.ts'
import type { KubeObject } from '../types.ts'
import type { Ask } from './connectivity-asks.ts'

export const roleLabel = 'k8sops.dev/connectivity'
export const tokenLabel = 'k8sops.dev/connectivity-token'

/** By which name pods find each other, before they are ready. */
const peers = 'peers'

interface Route {
  host: string
  address: string
}

/**
 * @param objects Nodes, HTTPRoutes, Gateways
 * @returns what kubectl applies: the namespace first
 * @throws Error when there is no node that takes pods
 */
export function probeObjects(objects: KubeObject[], choice: ProbeChoice): object[] {
  const nodes = objects
    .filter(({ kind }) => kind === 'Node')
    .filter(takesPods)
    .map(({ metadata }) => metadata.name)
  if (nodes.length === 0) throw new Error('no node is ready for pods')
  const routes = routesOf(objects)
  const asks = nodes.map((node, index) => [
    ...(index === 0 ? askedOnce(routes, choice) : []),
    { check: 'dns-inside', kind: 'dns', name: 'kubernetes.default.svc.cluster.local', expect: 'some' } as const,
    ...pings(node, nodes, choice),
  ])
  return [
    namespace(),
    policy('open', {
      ingress: [{ fromEndpoints: [open] }],
      egress: [{ toEndpoints: [open] }, { toEntities: ['world', 'cluster', 'ingress'] }],
    }),
    inside('v1', 'Service', peers, {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: { [roleLabel]: 'open' },
      ports: [{ name: 'none', port: 9, protocol: 'UDP' }],
    }),
    ...nodes.map((node, index) => pod(`node-${node}`, 'open', node, asks[index] ?? [], choice)),
    // What the first one reaches, this one may not.
    pod('closed', 'closed', nodes.at(-1) ?? '', deniedAsks(asks[0] ?? []), choice),
  ]
}

const open = { matchLabels: { [roleLabel]: 'open' } }

/** Enough of each kind to tell; names it may resolve, as everybody may. */
function deniedAsks(asks: Ask[]): Ask[] {
  const first = (test: (ask: Ask) => boolean) => asks.filter(test).slice(0, 1)
  return [
    ...first(({ check }) => check === 'egress'),
    ...first(({ check }) => check === 'routes'),
    ...first(({ kind }) => kind === 'ping'),
  ]
}

function askedOnce(routes: Route[], choice: ProbeChoice): Ask[] {
  const { insideServer, outsideServer, outsideAddress, egress } = choice
  return [
    ...routes.map(({ host, address }): Ask => ({ check: 'routes', kind: 'tls', host, address })),
    ...routes.flatMap(({ host, address }): Ask[] => {
      const isOutside = address === outsideAddress
      const inner: Ask[] =
        isOutside || insideServer === undefined
          ? []
          : [{ check: 'dns-split', kind: 'dns', name: host, server: insideServer, expect: address }]
      return [
        ...inner,
        { check: 'dns-split', kind: 'dns', name: host, server: outsideServer, expect: isOutside ? 'some' : 'none' },
      ]
    }),
    ...egress.map((origin): Ask => ({ check: 'egress', kind: 'tls', host: new URL(origin).hostname })),
  ]
}

/** quick: each node the next one; full: each node every other one. */
function pings(node: string, nodes: string[], { suite, mtu }: ProbeChoice): Ask[] {
  const others = nodes.filter((one) => one !== node)
  const next = nodes[(nodes.indexOf(node) + 1) % nodes.length]
  const asked = suite === 'full' ? others : others.filter((one) => one === next)
  if (mtu === 0) return []
  // Headers of IPv4 and ICMP.
  return asked.map((one) => ({
    check: 'mtu',
    kind: 'ping',
    host: `node-${one}.${peers}.${probeNamespace}.svc`,
    bytes: mtu - 28,
  }))
}

const takesPods = ({ status }: KubeObject): boolean =>
  ((status?.conditions ?? []) as { type: string; status: string }[]).some(
    (one) => one.type === 'Ready' && one.status === 'True',
  )

/** Each host once, with the address of the first Gateway that its route names and that has one; a wildcard is no host. */
function routesOf(objects: KubeObject[]): Route[] {
  const gateways = objects.filter(({ kind }) => kind === 'Gateway')
  const routes = objects
    .filter(({ kind }) => kind === 'HTTPRoute')
    .flatMap(({ metadata, spec }) => {
      const { hostnames = [], parentRefs = [] } = (spec ?? {}) as {
        hostnames?: string[]
        parentRefs?: { name: string; namespace?: string; sectionName?: string }[]
      }
      const addresses = parentRefs.flatMap(({ name, namespace = metadata.namespace }) =>
        gateways
          .filter((one) => one.metadata.name === name && one.metadata.namespace === namespace)
          .flatMap(({ status }) =>
            ((status?.addresses ?? []) as { value?: string }[]).flatMap(({ value }) => value ?? []),
          ),
      )
      const [address] = addresses
      return address === undefined
        ? []
        : hostnames.filter((host) => !host.startsWith('*')).map((host) => ({ host, address }))
    })
  return [...new Map(routes.map((route) => [route.host, route])).values()]
}

const namespace = () => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: probeNamespace,
    labels: { [roleLabel]: 'true', 'pod-security.kubernetes.io/enforce': 'restricted' },
  },
})

const inside = (apiVersion: string, kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: probeNamespace },
  spec,
})

const policy = (role: string, rules: object) =>
  inside('cilium.io/v2', 'CiliumNetworkPolicy', role, {
    endpointSelector: { matchLabels: { [roleLabel]: role } },
    ...rules,
  })

/** It ends by itself, whoever has died meanwhile. */
function pod(
  name: string,
  role: 'open' | 'closed',
  node: string,
  asks: Ask[],
  { image, token, windowSec }: ProbeChoice,
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: probeNamespace, labels: { [roleLabel]: role }, annotations: { [tokenLabel]: token } },
    spec: {
      nodeName: node,
      hostname: name,
      subdomain: peers,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      activeDeadlineSeconds: windowSec,
      terminationGracePeriodSeconds: 1,
      enableServiceLinks: false,
      tolerations: [{ operator: 'Exists' }],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
        // ping without a capability.
        sysctls: [{ name: 'net.ipv4.ping_group_range', value: '65532 65532' }],
      },
      containers: [
        {
          name: 'probe',
          image,
          terminationMessagePolicy: 'FallbackToLogsOnError',
          // The other half of its time is for its image and its start. The last word is the asks: whoever judges the answers reads them here.
          args: ['connectivity', 'probe', '--window', `${Math.floor(windowSec / 2)}s`, JSON.stringify(asks)],
          env: [{ name: 'HOME', value: '/tmp' }],
          resources: { requests: { cpu: '10m', memory: '96Mi' }, limits: { memory: '256Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            readOnlyRootFilesystem: true,
          },
          volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
        },
      ],
      volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '64Mi' } }],
    },
  }
}
