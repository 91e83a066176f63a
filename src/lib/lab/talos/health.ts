/** ClusterService/HealthCheck: the checks of `talosctl health` (pkg/cluster/check, v1.12.0) on the lab as it is. */
import type { KubeObject, ObjectRef } from '../../types.ts'
import { listMembers } from './etcd-gateway.ts'
import { clusterMembers } from './fleet.ts'
import { anyMember, localMember } from './methods-etcd.ts'
import { type Call, type Method, stream } from './rpc.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { multiErrorText, StatusError } from './status.ts'

interface HealthRequest {
  waitTimeout: { seconds: string } | null
  clusterInfo: { controlPlaneNodes: string[]; workerNodes: string[] } | null
}

/** Undefined when all is well, otherwise what is wrong; `SKIP` for a check that doesn't apply. */
type Check = (view: View) => Promise<string | undefined>

interface View {
  machine: SimulatedMachine
  nodes: SimulatedMachine[]
  controlPlanes: SimulatedMachine[]
  list(ref: ObjectRef): Promise<KubeObject[]>
}

const ok = async () => undefined

const checks: [string, Check][] = [
  ['etcd to be healthy', (view) => serviceHealthy(view.controlPlanes, 'etcd')],
  ['etcd members to be consistent across nodes', etcdConsistent],
  ['etcd members to be control plane nodes', etcdOnControlPlanes],
  [
    'apid to be ready',
    async (view) =>
      nodeErrors(view.nodes, (node) => (node.endpoint.state() === 'secure' ? undefined : 'apid is not ready')),
  ],
  // A simulated machine has no memory, and its disks are the lab's own.
  ['all nodes memory sizes', ok],
  ['all nodes disk sizes', ok],
  ['no diagnostics', ok],
  ['kubelet to be healthy', (view) => serviceHealthy(view.controlPlanes, 'kubelet')],
  ['all nodes to finish boot sequence', allBooted],
  ['all k8s nodes to report', allReported],
  ['all control plane static pods to be running', staticPodsRunning],
  ['all control plane components to be ready', staticPodsRunning],
  ['all k8s nodes to report ready', (view) => nodesWith(view, 'some nodes are not ready', (node) => !isReady(node))],
  ['kube-proxy to report ready', (view) => workloadReady(view, 'apps/v1', 'DaemonSet', 'k8s-app=kube-proxy')],
  ['coredns to report ready', (view) => workloadReady(view, 'apps/v1', 'Deployment', 'k8s-app=kube-dns')],
  [
    'all k8s nodes to report schedulable',
    (view) => nodesWith(view, 'some nodes are not schedulable', (node) => node.spec?.unschedulable === true),
  ],
]

export const healthMethods: Method[] = [
  stream<HealthRequest>('/cluster.ClusterService/HealthCheck', async (call, request, send) => {
    const view = viewOf(call.machine, request)
    const addresses = view.nodes.map((node) => node.spec.address)
    await send({ message: `discovered nodes: [${addresses.map((address) => JSON.stringify(address)).join(' ')}]` })
    const deadline = Date.now() + Number(request.waitTimeout?.seconds ?? 0) * 1000
    for (const [name, check] of checks) await waitFor(call, name, () => check(view), deadline, send)
  }),
]

/** Polls one condition and tells each new state of it (check.Wait, conditions.PollingCondition). */
async function waitFor(
  call: Call,
  name: string,
  check: () => Promise<string | undefined>,
  deadline: number,
  send: (message: object) => Promise<void>,
): Promise<void> {
  let told = ''
  const tell = async (state: string) => {
    if (state !== told) await send({ message: `waiting for ${name}: ${state}`.trim() })
    told = state
  }
  await tell('...')
  const end = Math.min(deadline, Date.now() + 300_000)
  for (;;) {
    const problem = await check().catch(errorText)
    await tell(problem ?? 'OK')
    if (problem === undefined || problem === 'SKIP' || call.signal.aborted) return
    if (Date.now() >= end) throw new StatusError('DeadlineExceeded', 'context deadline exceeded')
    await call.machine.pause(Math.min(5, (end - Date.now()) / 1000 / call.machine.lab.spec.pace), call.signal)
  }
}

function errorText(error: unknown): string {
  if (error instanceof StatusError) return error.text
  return error instanceof Error ? error.message : String(error)
}

function viewOf(machine: SimulatedMachine, request: HealthRequest): View {
  const named = [...(request.clusterInfo?.controlPlaneNodes ?? []), ...(request.clusterInfo?.workerNodes ?? [])]
  const members = clusterMembers(machine)
  const nodes = named.length > 0 ? named.map((address) => memberAt(members, address)) : members
  return {
    machine,
    nodes,
    controlPlanes: nodes.filter((node) => node.machine.config?.role === 'controlplane'),
    async list(ref) {
      const port = machine.fleet.nodes.port()
      if (!port || !machine.lab.apiUp)
        throw new Error(`Get "${machine.machine.config?.endpoint}/api/v1": dial tcp: connect: connection refused`)
      const result = await port.list(ref)
      if (!result.ok) throw new Error(result.detail)
      return result.value
    },
  }
}

function memberAt(members: SimulatedMachine[], address: string): SimulatedMachine {
  const found = members.find((member) => member.spec.address === address)
  if (!found) throw new StatusError('Unknown', `lab: no machine of this cluster has the address ${address}`)
  return found
}

function nodeErrors(
  nodes: SimulatedMachine[],
  problem: (node: SimulatedMachine) => string | undefined,
): string | undefined {
  const problems = nodes.flatMap((node) => {
    const found = problem(node)
    return found === undefined ? [] : [`${node.spec.address}: ${found}`]
  })
  return problems.length === 0 ? undefined : multiErrorText(problems).trimEnd()
}

async function serviceHealthy(nodes: SimulatedMachine[], id: string): Promise<string | undefined> {
  return nodeErrors(nodes, (node) => {
    const service = node.services.get(id)
    if (!service) return `no events recorded yet for service ${JSON.stringify(id)}`
    if (service.state !== 'Running') {
      return `service ${JSON.stringify(id)} not in expected state "Running": current state [${service.state}] ${service.message}`
    }
    return service.healthy ? undefined : `service is not healthy: ${id}`
  })
}

async function etcdConsistent(view: View): Promise<string | undefined> {
  const lists = await Promise.all(
    view.controlPlanes.map(async (node) => {
      const members = await listMembers(localMember(node))
      return members.map((member) => `${member.name}/${member.ID}/${member.isLearner}`).sort()
    }),
  )
  const different = lists.findIndex((list) => list.join() !== lists[0]?.join())
  if (different === -1) return undefined
  const names = (list: string[] | undefined) => `[${(list ?? []).map((entry) => entry.split('/')[0]).join(' ')}]`
  return `${view.controlPlanes[different]?.spec.address}: expected to have ${names(lists[0])} members, got ${names(lists[different])}`
}

/** By name: the lab's members listen at the lab's own address, not at their machines'. */
async function etcdOnControlPlanes(view: View): Promise<string | undefined> {
  const members = (await listMembers(anyMember(view.machine))).map((member) => member.name)
  const expected = view.controlPlanes.map((node) => node.machine.config?.hostname ?? '')
  if (members.every((name) => expected.includes(name))) return undefined
  return `etcd member ips ${JSON.stringify(members)} are not subset of control plane node ips ${JSON.stringify(expected)}`
}

async function allBooted(view: View): Promise<string | undefined> {
  const late = view.nodes.filter((node) => node.machine.stage !== 'running')
  if (late.length === 0) return undefined
  return `nodes are not running: ${late.map((node) => `${node.machine.stage}: [${node.spec.address}]`).join(', ')}`
}

async function allReported(view: View): Promise<string | undefined> {
  const nodes = await view.list({ apiVersion: 'v1', kind: 'Node' })
  const addresses = nodes
    .flatMap((node) => (node.status?.addresses ?? []) as { address: string }[])
    .map(({ address }) => address)
  const expected = view.nodes.map((node) => node.spec.nodeAddress)
  const missing = expected.filter((address) => !addresses.includes(address))
  if (missing.length > 0) return `can't find expected node with IPs [${JSON.stringify(missing[0])}]`
  return nodes.length > expected.length
    ? `unexpected nodes with IPs ${JSON.stringify(addresses.filter((address) => !expected.includes(address)))}`
    : undefined
}

async function staticPodsRunning(view: View): Promise<string | undefined> {
  for (const app of ['kube-apiserver', 'kube-scheduler', 'kube-controller-manager']) {
    const pods = await view.list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'kube-system',
      labelSelector: `k8s-app=${app}`,
    })
    if (pods.length !== view.controlPlanes.length) {
      return `expected number of pods for ${app} to be ${view.controlPlanes.length}, got ${pods.length}`
    }
    const late = pods.filter((pod) => !isReady(pod)).map((pod) => pod.metadata.name)
    if (late.length > 0) return `some pods are not ready for ${app}: [${late.join(' ')}]`
  }
  return undefined
}

function isReady(object: KubeObject): boolean {
  const conditions = (object.status?.conditions ?? []) as { type: string; status: string }[]
  return conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True')
}

async function nodesWith(view: View, what: string, bad: (node: KubeObject) => boolean): Promise<string | undefined> {
  const names = (await view.list({ apiVersion: 'v1', kind: 'Node' })).filter(bad).map((node) => node.metadata.name)
  return names.length === 0 ? undefined : `${what}: [${names.join(' ')}]`
}

async function workloadReady(
  view: View,
  apiVersion: string,
  kind: string,
  labelSelector: string,
): Promise<string | undefined> {
  const namespace = 'kube-system'
  const [workload] = await view.list({ apiVersion, kind, namespace, labelSelector })
  if (!workload) return 'SKIP'
  const replicas = Number(workload.status?.desiredNumberScheduled ?? workload.spec?.replicas ?? 1)
  const pods = await view.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector })
  const where = `namespace ${JSON.stringify(namespace)} and label selector ${JSON.stringify(labelSelector)}`
  if (pods.length === 0) return `no pods found for ${where}`
  const alive = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase !== 'Failed')
  const late = alive.filter((pod) => !isReady(pod)).map((pod) => pod.metadata.name)
  if (late.length === alive.length) return `no ready pods found for ${where}`
  if (late.length > 0) return `some pods are not ready: [${late.join(' ')}]`
  return alive.length === replicas ? undefined : `expected ${replicas} ready pods, got ${alive.length}`
}
