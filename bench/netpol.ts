/** How long it takes to tell which of 1,000 policies decides about a connection, the manifests being there already. */
import { explain } from '../src/lib/repo/policy/evaluate.ts'
import { nodeEndpoint, podLabels } from '../src/lib/repo/policy/pods.ts'
import { readPolicies } from '../src/lib/repo/policy/read.ts'
import type { KubeObject } from '../src/lib/types.ts'
import { median, row } from './measure.ts'

const count = 1000
const namespaces = 20

/** As those of this repository: each opens some ports of one application to another, and to what an address range has. */
function policy(index: number): KubeObject {
  const namespace = `space-${index % namespaces}`
  const endpointSelector = { matchLabels: { 'app.kubernetes.io/name': `app-${index}` } }
  const peer = {
    'app.kubernetes.io/name': `app-${index + 1}`,
    'k8s:io.kubernetes.pod.namespace': `space-${(index + 1) % namespaces}`,
  }
  const ports = [8080, 8443, 9090].map((port) => ({ port: String(port), protocol: 'TCP' }))
  return {
    apiVersion: 'cilium.io/v2',
    kind: index % 10 === 0 ? 'CiliumClusterwideNetworkPolicy' : 'CiliumNetworkPolicy',
    metadata: { name: `policy-${index}`, ...(index % 10 === 0 ? {} : { namespace }) },
    spec: {
      endpointSelector,
      ingress: [{ fromEndpoints: [{ matchLabels: peer }], toPorts: [{ ports }] }],
      egress: [
        { toEndpoints: [{ matchLabels: peer }], toPorts: [{ ports }] },
        { toCIDRSet: [{ cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '192.168.0.0/16'] }], toPorts: [{ ports }] },
      ],
    },
  }
}

export function benchNetpol(): void {
  const objects = Array.from({ length: count }, (_, index) => policy(index))
  const pod = (index: number) => ({
    kind: 'pod' as const,
    text: `app-${index}`,
    variants: [
      podLabels({ namespace: `space-${index % namespaces}`, labels: { 'app.kubernetes.io/name': `app-${index}` } }, {}),
    ],
  })
  const times: number[] = []
  for (let round = 0; round < 20; round++) {
    const started = performance.now()
    const set = readPolicies(objects)
    const found = explain(set, pod(7 + round), pod(8 + round), { number: 8443, protocol: 'TCP' })
    explain(set, pod(7 + round), nodeEndpoint('kube-apiserver'), { number: 6443, protocol: 'TCP' })
    times.push(performance.now() - started)
    if (found.egress.by[0]?.name !== `policy-${7 + round}`) throw new Error(`decided by ${JSON.stringify(found)}`)
  }
  const ms = median(times)
  row(
    `netpol explain, 1,000 policies read and asked twice (first ${times[0]?.toFixed(0)} ms)`,
    `${ms.toFixed(1)} ms`,
    '<= 200 ms',
    Math.max(...times) <= 200,
  )
}
