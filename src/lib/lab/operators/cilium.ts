/** Cilium's operator: registers the CRDs that are not in the chart, keeps a CiliumNode per agent and counts pools. */
import type { KubeObject } from '../../types.ts'
import { standInGroup } from '../charts/crds.ts'
import { kindsInUse } from '../charts/sources.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { matches } from '../kube/cluster-view.ts'
import type { Condition } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'
import { assignAddress, countPool } from './cilium-addresses.ts'
import { type BgpFacts, judgeClusterConfig, judgePeerConfig } from './cilium-bgp.ts'
import { type Operator, report, startOperator } from './operator.ts'

const group = 'cilium.io'
const fieldManager = 'cilium-operator'
const retryMs = 1_000

export function startCiliumOperator(lab: Lab, view: ClusterView): Operator {
  const registered = new Set<string>()
  const nodes = new Set<string>()
  /** Peer configs, by uid. */
  const judged = new Set<string>()
  /** Pools, by uid and generation. */
  const counted = new Set<string>()
  let again: NodeJS.Timeout | undefined
  let syncAgain: NodeJS.Timeout | undefined
  let known: KubeObject[] = []
  const facts: BgpFacts = {
    nodes: () => known,
    clusterConfigs: () => operator.objects('CiliumBGPClusterConfig'),
    peerConfigs: () => operator.objects('CiliumBGPPeerConfig'),
  }
  const judgePeer = async (config: KubeObject) => {
    const uid = config.metadata.uid ?? ''
    const againMs = await judgePeerConfig(view, config)
    // A cluster config may have been judged without it, also when all of them are listed anew after a restart of the lab.
    if (!judged.has(uid)) operator.again()
    judged.add(uid)
    return againMs
  }

  const pools = () => operator.objects('CiliumLoadBalancerIPPool')
  const services = () => operator.objects('Service')

  const operator = startOperator(lab, view, {
    name: 'cilium-operator',
    pod: { 'app.kubernetes.io/name': 'cilium-operator' },
    kinds: [
      { apiVersion: `${group}/v2`, kind: 'CiliumLoadBalancerIPPool', reconcile: countAddresses },
      {
        apiVersion: `${group}/v2`,
        kind: 'CiliumBGPClusterConfig',
        reconcile: (config) => judgeClusterConfig(view, config, facts),
      },
      { apiVersion: `${group}/v2`, kind: 'CiliumBGPPeerConfig', reconcile: judgePeer },
      { apiVersion: 'v1', kind: 'Service', reconcile: giveAddress },
    ],
    onStart: registerCrds,
  })
  const endings = [
    view.watch({ apiVersion: 'v1', kind: 'Node' }, (objects) => keepNodes(objects)),
    lab.faults.onChange(registerCrds),
  ]

  function registerCrds(): void {
    clearTimeout(again)
    if (!operator.running()) return
    register().catch((error: Error) => {
      lab.log('cilium-operator', `can't register its CRDs: ${error.message}`)
      again = setTimeout(registerCrds, retryMs)
    })
  }
  const register = async () => {
    const crds = await standInGroup(group, await kindsInUse(lab.spec.root))
    const withheld = lab.faults.active('crd-missing')?.params?.crd
    for (const { name, manifest } of crds) {
      if (name === withheld || registered.has(name)) continue
      await view.writer().apply(manifest as Parameters<ReturnType<typeof view.writer>['apply']>[0], fieldManager)
      registered.add(name)
    }
  }

  const keepNodes = (objects: KubeObject[]) => {
    const [before, after] = [known, objects].map((each) =>
      JSON.stringify(each.map(({ metadata }) => [metadata.name, metadata.labels])),
    )
    known = objects
    sync()
    if (before !== after) operator.again()
  }
  const sync = () => {
    if (!view.serves({ apiVersion: `${group}/v2`, kind: 'CiliumNode' })) return
    for (const node of known) {
      const { name, uid } = node.metadata
      const agent = view
        .runningPods()
        .some((pod) => matches(pod, { 'k8s-app': 'cilium' }) && pod.spec?.nodeName === name)
      if (!agent || nodes.has(`${name}/${uid}`)) continue
      nodes.add(`${name}/${uid}`)
      writeNode(node).catch((error: Error) => {
        lab.log('cilium-operator', `CiliumNode ${name}: ${error.message}`)
        nodes.delete(`${name}/${uid}`)
        clearTimeout(syncAgain)
        syncAgain = setTimeout(sync, retryMs)
      })
    }
  }
  const writeNode = async ({ metadata, spec, status }: KubeObject) => {
    const addresses = (status?.addresses ?? []) as { type: string; address: string }[]
    await view.writer().apply(
      {
        apiVersion: `${group}/v2`,
        kind: 'CiliumNode',
        metadata: {
          name: metadata.name,
          labels: { 'kubernetes.io/hostname': metadata.name },
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: metadata.name, uid: metadata.uid }],
        },
        spec: {
          addresses: addresses
            .filter(({ type }) => type === 'InternalIP')
            .map(({ type, address }) => ({ type, ip: address })),
          ipam: { podCIDRs: (spec?.podCIDRs as string[] | undefined) ?? [] },
        },
      },
      fieldManager,
    )
  }
  endings.push(view.onPods(sync), view.onCrds(sync))

  async function giveAddress(service: KubeObject): Promise<undefined> {
    await assignAddress(view, service, { pools, services })
    if ((service.spec as { type?: string }).type === 'LoadBalancer')
      for (const pool of pools()) await countAddresses(pool)
    return undefined
  }

  async function countAddresses(pool: KubeObject): Promise<undefined> {
    const { total, used } = countPool(pool, services())
    const count = (name: string, value: number): Condition => ({
      type: `cilium.io/${name}`,
      status: 'Unknown',
      reason: 'noreason',
      message: String(value),
    })
    await report(view, pool, [
      { type: 'cilium.io/PoolConflict', status: 'False', reason: 'resolved', message: '' },
      count('IPsTotal', total),
      count('IPsAvailable', total - used),
      count('IPsUsed', used),
    ])
    const version = `${pool.metadata.uid}/${pool.metadata.generation}`
    if (counted.has(version)) return undefined
    // Services may have been waiting for this pool.
    counted.add(version)
    operator.again()
    return undefined
  }

  // The pod may have been running before we looked.
  registerCrds()
  return {
    ...operator,
    status: () => ({ ...operator.status(), crds: registered.size, nodes: nodes.size }),
    stop() {
      clearTimeout(again)
      clearTimeout(syncAgain)
      for (const end of endings) end()
      operator.stop()
    },
  }
}
