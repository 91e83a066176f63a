/** Envoy Gateway: Gateways become proxies and Services, routes and policies are attached or refused. No traffic is proxied. */
import type { KubeObject } from '../../types.ts'
import { type ClusterView, matches } from '../kube/cluster-view.ts'
import { type Condition, isTrue, nextConditions, statusHolds } from '../kube/conditions.ts'
import { keyOf } from '../kube/reconciler.ts'
import type { Lab } from '../types.ts'
import { proxyName, proxyObjects } from './envoy-proxy.ts'
import { attachment, type Gateway, listenersOf, type ParentRef } from './gateway-routes.ts'
import { type Operator, readObject, readSecret, report, startOperator } from './operator.ts'

const controllerName = 'gateway.envoyproxy.io/gatewayclass-controller'
const gatewayApi = 'gateway.networking.k8s.io/v1'
const envoyApi = 'gateway.envoyproxy.io/v1alpha1'
const pod = { 'control-plane': 'envoy-gateway' }
const retryMs = 1_000

export function startEnvoyGateway(lab: Lab, view: ClusterView): Operator {
  const policy = (kind: string) => ({ apiVersion: envoyApi, kind, reconcile: attachPolicy })
  const operator = startOperator(lab, view, {
    name: 'envoy-gateway',
    pod,
    kinds: [
      { apiVersion: gatewayApi, kind: 'GatewayClass', reconcile: acceptClass },
      { apiVersion: gatewayApi, kind: 'Gateway', reconcile: programGateway },
      { apiVersion: gatewayApi, kind: 'HTTPRoute', reconcile: attachRoute },
      policy('ClientTrafficPolicy'),
      policy('BackendTrafficPolicy'),
      policy('SecurityPolicy'),
    ],
    unplayed: ['EnvoyExtensionPolicy', 'EnvoyPatchPolicy'].map((kind) => ({ apiVersion: envoyApi, kind })),
  })

  async function acceptClass(gatewayClass: KubeObject): Promise<number | undefined> {
    const spec = gatewayClass.spec as { controllerName: string; parametersRef?: { name: string; namespace?: string } }
    if (spec.controllerName !== controllerName) return undefined
    const missing = spec.parametersRef && !(await parametersOf(gatewayClass))
    await report(view, gatewayClass, [
      missing
        ? condition('Accepted', 'False', 'InvalidParameters', 'Invalid parametersRef: EnvoyProxy not found')
        : condition('Accepted', 'True', 'Accepted', 'Valid GatewayClass'),
    ])
    return missing ? retryMs : undefined
  }

  async function programGateway(object: KubeObject): Promise<number | undefined> {
    const gateway = object as Gateway
    const gatewayClass = classOf(gateway)
    if (!gatewayClass || !isTrue(gatewayClass, 'Accepted')) return retryMs
    // The controller's own namespace: that is where its default mode puts proxies.
    const namespace = view.runningPods().find((each) => matches(each, pod))?.metadata.namespace
    if (!namespace) return undefined
    for (const proxy of proxyObjects(gateway, namespace, await parametersOf(gatewayClass)))
      await view.writer().apply(proxy, 'envoy-gateway')
    const name = proxyName(gateway)
    const service = await readObject(view, { apiVersion: 'v1', kind: 'Service', namespace, name })
    const deployment = await readObject(view, { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name })
    const { ingress = [] } = (service?.status?.loadBalancer ?? {}) as { ingress?: { ip: string }[] }
    const { availableReplicas = 0, replicas = 0 } = (deployment?.status ?? {}) as Record<string, number>
    const programmed = programmedCondition(ingress.length, availableReplicas, replicas)
    const before = (gateway.status?.listeners ?? []) as { name: string; conditions: Condition[] }[]
    const listeners = await Promise.all(
      gateway.spec.listeners.map(async (listener) => {
        const wanted = await listenerConditions(gateway, listener)
        const previous = before.find(({ name: other }) => other === listener.name)?.conditions ?? []
        return {
          name: listener.name,
          attachedRoutes: operator
            .objects('HTTPRoute')
            .filter((route) =>
              parentsOf(route).some(
                (parent) =>
                  names(parent, route, gateway) && listenersOf(route, parent, gateway).accepted.includes(listener.name),
              ),
            ).length,
          conditions: keepTimes(gateway, previous, wanted),
          supportedKinds: ['HTTPRoute', 'GRPCRoute'].map((kind) => ({ group: 'gateway.networking.k8s.io', kind })),
        }
      }),
    )
    const accepted = condition('Accepted', 'True', 'Accepted', 'The Gateway has been scheduled by Envoy Gateway')
    await report(view, gateway, [accepted, programmed], {
      addresses: ingress.map(({ ip }) => ({ type: 'IPAddress', value: ip })),
      listeners,
    })
    const settled = programmed.status === 'True' && listeners.every(({ conditions }) => conditions.every(isGood))
    return settled ? undefined : retryMs
  }

  async function listenerConditions(gateway: Gateway, listener: Gateway['spec']['listeners'][number]) {
    const refs = listener.tls?.certificateRefs ?? []
    const namespace = gateway.metadata.namespace ?? ''
    const secrets = await Promise.all(refs.map((ref) => readSecret(view, ref.namespace ?? namespace, ref.name)))
    const missing = refs.filter((_, index) => !secrets[index]?.data?.['tls.crt'])
    if (missing.length === 0) {
      return [
        condition('Accepted', 'True', 'Accepted', 'Listener has been successfully translated'),
        condition('Programmed', 'True', 'Programmed', 'Sending translated listener configuration to the data plane'),
        condition('ResolvedRefs', 'True', 'ResolvedRefs', 'Listener references have been resolved'),
      ]
    }
    const message = `Secret ${namespace}/${missing[0]?.name} does not exist.`
    return [
      condition('ResolvedRefs', 'False', 'InvalidCertificateRef', message),
      condition('Programmed', 'False', 'Invalid', 'Listener is invalid, see other Conditions for details.'),
    ]
  }

  async function attachRoute(route: KubeObject): Promise<number | undefined> {
    const before = (route.status?.parents ?? []) as { parentRef: ParentRef; conditions: Condition[] }[]
    const mine = parentsOf(route).flatMap((parentRef) => {
      const gateway = operator.objects('Gateway').find((each) => names(parentRef, route, each))
      return gateway && classOf(gateway) ? [{ parentRef, gateway: gateway as Gateway }] : []
    })
    const backend = await missingBackend(route)
    const parents = mine.map(({ parentRef, gateway }) => {
      const wanted = [
        attachment(route, parentRef, gateway),
        backend === undefined
          ? condition('ResolvedRefs', 'True', 'ResolvedRefs', 'Resolved all the Object references for the Route')
          : condition('ResolvedRefs', 'False', 'BackendNotFound', `Service ${backend} not found`),
      ]
      const key = JSON.stringify(parentRef)
      const previous = before.find((each) => JSON.stringify(each.parentRef) === key)?.conditions ?? []
      return { parentRef, controllerName, conditions: keepTimes(route, previous, wanted) }
    })
    if (!statusHolds(route, { parents })) {
      await view.writer().patchStatus(route, { parents })
      operator.again()
    }
    const settled = mine.length === parentsOf(route).length && parents.every((each) => each.conditions.every(isGood))
    return settled ? undefined : retryMs
  }

  async function missingBackend(route: KubeObject): Promise<string | undefined> {
    const { rules = [] } = route.spec as {
      rules?: { backendRefs?: { name: string; namespace?: string; kind?: string }[] }[]
    }
    for (const { name, namespace = route.metadata.namespace ?? '', kind = 'Service' } of rules.flatMap(
      ({ backendRefs = [] }) => backendRefs,
    )) {
      if (kind === 'Service' && !(await readObject(view, { apiVersion: 'v1', kind, namespace, name })))
        return `${namespace}/${name}`
    }
    return undefined
  }

  async function attachPolicy(policyObject: KubeObject): Promise<number | undefined> {
    const { targetRefs = [], targetRef } = policyObject.spec as {
      targetRefs?: { kind: string; name: string }[]
      targetRef?: { kind: string; name: string }
    }
    const targets = [...targetRefs, ...(targetRef ? [targetRef] : [])]
    const namespace = policyObject.metadata.namespace
    const before = (policyObject.status?.ancestors ?? []) as {
      ancestorRef: { name: string }
      conditions: Condition[]
    }[]
    const found = targets.filter(({ kind, name }) =>
      operator.objects(kind).some(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
    )
    const ancestors = found.map(({ kind, name }) => ({
      ancestorRef: { group: 'gateway.networking.k8s.io', kind, name, namespace },
      controllerName,
      conditions: keepTimes(
        policyObject,
        before.find(({ ancestorRef }) => ancestorRef.name === name)?.conditions ?? [],
        [condition('Accepted', 'True', 'Accepted', 'Policy has been accepted.')],
      ),
    }))
    if (!statusHolds(policyObject, { ancestors })) await view.writer().patchStatus(policyObject, { ancestors })
    return found.length < targets.length ? retryMs : undefined
  }

  const classOf = (gateway: KubeObject) => {
    const { gatewayClassName } = gateway.spec as { gatewayClassName: string }
    return operator
      .objects('GatewayClass')
      .find(
        ({ metadata, spec }) =>
          metadata.name === gatewayClassName && (spec as { controllerName?: string }).controllerName === controllerName,
      )
  }
  const parametersOf = async (gatewayClass: KubeObject): Promise<KubeObject | undefined> => {
    const { parametersRef } = gatewayClass.spec as {
      parametersRef?: { kind: string; name: string; namespace?: string }
    }
    if (!parametersRef) return undefined
    const { kind, name, namespace = '' } = parametersRef
    return readObject(view, { apiVersion: envoyApi, kind, namespace, name })
  }
  return operator
}

const parentsOf = (route: KubeObject) => (route.spec as { parentRefs?: ParentRef[] }).parentRefs ?? []

const names = (parent: ParentRef, route: KubeObject, gateway: KubeObject) =>
  keyOf(gateway) === `${parent.namespace ?? route.metadata.namespace}/${parent.name}`

function programmedCondition(addresses: number, available: number, replicas: number): Condition {
  if (addresses === 0)
    return condition('Programmed', 'False', 'AddressNotAssigned', 'No addresses have been assigned to the Gateway')
  if (available === 0) return condition('Programmed', 'False', 'NoResources', 'Envoy replicas unavailable')
  const message = `Address assigned to the Gateway, ${available}/${replicas} envoy replicas available`
  return condition('Programmed', 'True', 'Programmed', message)
}

const condition = (type: string, status: Condition['status'], reason: string, message: string): Condition => ({
  type,
  status,
  reason,
  message,
})

const isGood = ({ status }: Condition) => status === 'True'

/** Conditions of a part of the status (a listener, a parent), with the transition times that they had. */
const keepTimes = (object: KubeObject, before: Condition[], wanted: Condition[]) =>
  nextConditions({ ...object, status: { conditions: before } } as unknown as KubeObject, wanted)
