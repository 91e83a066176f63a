/** Addresses and routes as the lab's Cilium and Envoy Gateway hand them out. */

import { describe, expect, test } from 'vitest'
import { chooseAddress, countPool } from '../../src/lib/lab/operators/cilium-addresses.ts'
import { attachment, type Gateway } from '../../src/lib/lab/operators/gateway-routes.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { fc } from '../helpers/seeded-check.ts'

const service = (name: string, ip?: string, requested?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    namespace: 'default',
    ...(requested ? { annotations: { 'lbipam.cilium.io/ips': requested } } : {}),
  },
  spec: { type: 'LoadBalancer' },
  ...(ip ? { status: { loadBalancer: { ingress: [{ ip }] } } } : {}),
})
const pool = (spec: KubeObject['spec']): KubeObject => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumLoadBalancerIPPool',
  metadata: { name: 'default' },
  ...(spec ? { spec } : {}),
})
const choose = (wanted: KubeObject, others: KubeObject[], pools: KubeObject[]) =>
  chooseAddress(wanted, { pools: () => pools, services: () => [wanted, ...others] })

describe('load-balancer addresses', () => {
  const small = pool({ blocks: [{ cidr: '10.9.0.0/29' }], allowFirstLastIPs: 'No' })

  test('are what a Service asks for, if a pool has it and nobody else holds it', () => {
    expect(choose(service('a', undefined, '10.9.0.3'), [], [small])).toEqual({ ip: '10.9.0.3', reason: 'satisfied' })
    expect(choose(service('a', undefined, '10.9.0.3'), [service('b', '10.9.0.3')], [small]).reason).toBe(
      'already_allocated',
    )
    expect(choose(service('a', undefined, '10.9.1.3'), [], [small]).reason).toBe('no_pool')
  })

  test('are never given twice, never the first or last of a block that keeps them, until the pool is used up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), (count) => {
        const given: KubeObject[] = []
        for (let index = 0; index < count; index++) {
          const { ip, reason } = choose(service(`s${index}`), given, [small])
          expect(reason).toBe(index < 6 ? 'satisfied' : 'out_of_ips')
          if (ip) given.push(service(`s${index}`, ip))
        }
        const addresses = given.map(({ status }) => JSON.stringify(status))
        expect(new Set(addresses).size).toBe(addresses.length)
        expect(countPool(small, given)).toEqual({ total: 6, used: Math.min(count, 6) })
      }),
    )
  })

  test('are kept by who has one', () => {
    expect(choose(service('a', '10.9.0.5'), [], [small]).ip).toBe('10.9.0.5')
  })
})

describe('routes', () => {
  const gateway = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'external', namespace: 'networking' },
    spec: {
      gatewayClassName: 'envoy',
      listeners: [
        { name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'Same' } } },
        {
          name: 'https',
          hostname: '*.example.org',
          port: 443,
          protocol: 'HTTPS',
          allowedRoutes: { namespaces: { from: 'All' } },
        },
      ],
    },
  } as Gateway
  const verdict = (namespace: string, sectionName: string, hostnames: string[]) => {
    const route = {
      apiVersion: gateway.apiVersion,
      kind: 'HTTPRoute',
      metadata: { name: 'r', namespace },
      spec: { hostnames },
    }
    return attachment(route, { name: 'external', namespace: 'networking', sectionName }, gateway).reason
  }

  test.each([
    ['networking', 'http', [], 'Accepted'],
    ['shop', 'https', ['shop.example.org'], 'Accepted'],
    ['shop', 'https', ['a.b.example.org'], 'Accepted'],
    ['shop', 'http', ['shop.example.org'], 'NotAllowedByListeners'],
    ['shop', 'tls', ['shop.example.org'], 'NoMatchingParent'],
    ['shop', 'https', ['shop.example.com'], 'NoMatchingListenerHostname'],
    ['shop', 'https', ['example.org'], 'NoMatchingListenerHostname'],
  ])('from %s to section %s with hosts %j: %s', (namespace, section, hosts, reason) => {
    expect(verdict(namespace, section, hosts)).toBe(reason)
  })
})
