/**
 * apid: who may call what (services/machined.go), and which machines a call goes to (apid/pkg/director, v1.12.0).
 * `nodes` in the metadata: fan-out, with failures inside the response; `node`: one machine, failures as the call's status.
 */
import type { EventEmitter } from 'node:events'
import type {
  Metadata,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js'
import { forward } from './fleet.ts'
import type { Implementation } from './protocol.ts'
import type { Call, Method, StreamMethod, UnaryMethod, UploadMethod } from './rpc.ts'
import { inMaintenance, type SimulatedMachine } from './simulated-machine.ts'
import { StatusError, statusOf, statusText } from './status.ts'
import { organizationsOf } from './transport.ts'

const everyone = ['os:admin', 'os:operator', 'os:reader']
const etcdReaders = [...everyone, 'os:etcd:backup']
const operators = ['os:admin', 'os:operator']

/** Methods that others than os:admin may call. */
const rules: Record<string, string[]> = {
  '/cluster.ClusterService/HealthCheck': everyone,
  '/machine.MachineService/Containers': everyone,
  '/machine.MachineService/Dmesg': everyone,
  '/machine.MachineService/EtcdAlarmDisarm': operators,
  '/machine.MachineService/EtcdAlarmList': etcdReaders,
  '/machine.MachineService/EtcdDefragment': operators,
  '/machine.MachineService/EtcdMemberList': etcdReaders,
  '/machine.MachineService/EtcdSnapshot': [...operators, 'os:etcd:backup'],
  '/machine.MachineService/EtcdStatus': etcdReaders,
  '/machine.MachineService/Events': everyone,
  '/machine.MachineService/ImageList': everyone,
  '/machine.MachineService/ImagePull': operators,
  '/machine.MachineService/Logs': everyone,
  '/machine.MachineService/Reboot': operators,
  '/machine.MachineService/ServiceList': everyone,
  '/machine.MachineService/ServiceRestart': operators,
  '/machine.MachineService/ServiceStart': operators,
  '/machine.MachineService/ServiceStop': operators,
  '/machine.MachineService/Shutdown': operators,
  '/machine.MachineService/Version': everyone,
  '/cosi.resource.State/Get': everyone,
  '/cosi.resource.State/List': everyone,
  '/cosi.resource.State/Watch': everyone,
  '/storage.StorageService/Disks': everyone,
}

/** What the maintenance service has; its handlers for machine methods check the rest (maintenance/server.go). */
const maintenanceMethods = new Set([
  '/machine.MachineService/ApplyConfiguration',
  '/storage.StorageService/BlockDeviceWipe',
  '/storage.StorageService/Disks',
  '/cosi.resource.State/Get',
  '/cosi.resource.State/List',
  '/cosi.resource.State/Watch',
])
const needsAdminInMaintenance = new Set(['Version', 'Upgrade', 'Reset'])

/** The handlers that a machine's gRPC server is given. */
export function implementationOf(machine: SimulatedMachine, methods: Method[]): Implementation {
  const implementation: Implementation = {}
  for (const method of methods) {
    const name = method.path.slice(method.path.lastIndexOf('/') + 1)
    implementation[name] =
      method.kind === 'upload'
        ? uploadHandler(machine, method)
        : method.kind === 'unary'
          ? (call: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>) => {
              answerUnary(machine, method, call).then(
                (response) => callback(null, response),
                (error: unknown) => callback(failure(error)),
              )
            }
          : (call: ServerWritableStream<unknown, object>) => {
              answerStream(machine, method, call).then(
                () => call.end(),
                (error: unknown) => call.emit('error', failure(error)),
              )
            }
  }
  return implementation
}

const failure = (error: unknown) => {
  const { code, message } = statusOf(error)
  return { code, details: message }
}

async function answerUnary(
  machine: SimulatedMachine,
  method: UnaryMethod,
  call: ServerUnaryCall<unknown, object>,
): Promise<object> {
  const { route, roles, signal } = open(machine, method, call)
  const wrapped = !method.path.startsWith('/cosi.')
  const handle = async (to: SimulatedMachine) => {
    authorize(to, method.path, roles)
    return untilGone(to, (gone) =>
      method.handle({ machine: to, roles, signal: AbortSignal.any([signal, gone]) }, call.request),
    )
  }
  if (route.kind === 'one') {
    const body = await handle(route.target === undefined ? machine : await forward(machine, route.target))
    return wrapped ? { messages: [body] } : body
  }
  const messages = route.targets.map(async (target) => {
    try {
      return { ...(await handle(await forward(machine, target))), metadata: { hostname: target } }
    } catch (error) {
      return { metadata: failedMetadata(target, error) }
    }
  })
  return { messages: await Promise.all(messages) }
}

/** A stream from the caller goes to one machine: apid doesn't know how to send it to several. */
function uploadHandler(machine: SimulatedMachine, method: UploadMethod) {
  return (call: ServerReadableStream<unknown, object>, callback: sendUnaryData<object>) => {
    const answer = async () => {
      const { route, roles, signal } = open(machine, method, call)
      const target = route.kind === 'one' ? route.target : route.targets[0]
      const to = target === undefined ? machine : await forward(machine, target)
      authorize(to, method.path, roles)
      const handle = (gone: AbortSignal) =>
        method.handle({ machine: to, roles, signal: AbortSignal.any([signal, gone]) }, call)
      return { messages: [await untilGone(to, handle)] }
    }
    answer().then(
      (response) => callback(null, response),
      (error: unknown) => callback(failure(error)),
    )
  }
}

async function answerStream(
  machine: SimulatedMachine,
  method: StreamMethod,
  call: ServerWritableStream<unknown, object>,
): Promise<void> {
  const { route, roles, signal } = open(machine, method, call)
  let drained: Promise<void> | undefined
  const send = (message: object): Promise<void> => {
    if (signal.aborted || call.write(message)) return Promise.resolve()
    // One wait for all: an event stream doesn't wait for one message before it sends the next.
    drained ??= new Promise<void>((resolve) => {
      call.once('drain', resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    }).finally(() => {
      drained = undefined
    })
    return drained
  }
  const handle = async (to: SimulatedMachine, metadata: object) => {
    authorize(to, method.path, roles)
    await untilGone(to, (gone) =>
      method.handle({ machine: to, roles, signal: AbortSignal.any([signal, gone]) }, call.request, (message) =>
        send({ ...message, ...metadata }),
      ),
    )
  }
  if (route.kind === 'one') {
    return handle(route.target === undefined ? machine : await forward(machine, route.target), {})
  }
  const each = route.targets.map(async (target) => {
    try {
      await handle(await forward(machine, target), { metadata: { hostname: target } })
    } catch (error) {
      await send({ metadata: failedMetadata(target, error) })
    }
  })
  await Promise.all(each)
}

/** A machine that goes down cuts the calls that others forwarded to it, too. */
async function untilGone<T>(to: SimulatedMachine, handle: (gone: AbortSignal) => Promise<T>): Promise<T> {
  const gone = to.gone()
  const result = await handle(gone)
  if (gone.aborted) throw new StatusError('Unavailable', 'error reading from server: EOF')
  return result
}

function failedMetadata(hostname: string, error: unknown): object {
  const status = statusOf(error)
  return { hostname, error: statusText(status), status }
}

type Route = { kind: 'one'; target?: string } | { kind: 'many'; targets: string[] }

function open(
  machine: SimulatedMachine,
  method: Method,
  call:
    | ServerUnaryCall<unknown, object>
    | ServerWritableStream<unknown, object>
    | ServerReadableStream<unknown, object>,
): { route: Route } & Omit<Call, 'machine'> {
  const abort = new AbortController()
  const emitter: EventEmitter = call
  emitter.on('cancelled', () => abort.abort())
  const organizations = organizationsOf(call)
  const maintenance = inMaintenance(machine)
  const roles = new Set(maintenance ? ['os:reader'] : organizations)
  const route: Route = maintenance ? { kind: 'one' } : routeOf(machine, method, call.metadata)
  return { route, roles, signal: abort.signal }
}

function routeOf(machine: SimulatedMachine, method: Method, metadata: Metadata): Route {
  const nodes = values(metadata, 'nodes')
  const node = values(metadata, 'node')
  if (node.length > 1) throw new StatusError('InvalidArgument', 'node metadata must be single-valued')
  // A worker's apid has no client certificate to forward with; it answers for itself and nobody else.
  const isWorker = machine.machine.config?.role === 'worker'
  const local = (target: string | undefined) =>
    isWorker && (target === machine.spec.address || target === machine.machine.config?.hostname)
  if (nodes.length > 0 && !(nodes.length === 1 && local(nodes[0]))) {
    if (method.path.startsWith('/cosi.')) {
      throw new StatusError('InvalidArgument', 'one-2-many proxying is not supported for COSI methods')
    }
    if (isWorker) throw new StatusError('PermissionDenied', 'no request forwarding')
    return { kind: 'many', targets: nodes }
  }
  const target = node[0]
  if (target === undefined || target === '' || local(target)) return { kind: 'one' }
  if (isWorker) throw new StatusError('PermissionDenied', 'no request forwarding')
  return { kind: 'one', target }
}

/** Repeated metadata arrives joined by commas. */
function values(metadata: Metadata, key: string): string[] {
  return metadata
    .get(key)
    .flatMap((value) => String(value).split(/,\s*/))
    .filter((value, _, all) => value !== '' || all.length === 1)
}

function authorize(machine: SimulatedMachine, path: string, roles: ReadonlySet<string>): void {
  if (inMaintenance(machine)) {
    if (maintenanceMethods.has(path)) return
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (needsAdminInMaintenance.has(name)) {
      throw new StatusError('Unimplemented', 'API is not implemented in maintenance mode')
    }
    if (path.startsWith('/machine.')) throw new StatusError('Unimplemented', `method ${name} not implemented`)
    throw new StatusError('Unimplemented', `unknown service ${path.split('/')[1]}`)
  }
  const allowed = rules[path] ?? ['os:admin']
  if (!allowed.some((role) => roles.has(role))) throw new StatusError('PermissionDenied', 'not authorized')
}
