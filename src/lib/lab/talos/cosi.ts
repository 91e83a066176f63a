/** cosi.resource.State: the read side of `talosctl get`. */
import { parse } from 'yaml'
import { encodeMessage, timestamp } from './protocol.ts'
import { definitionType, fillDefinition, namespaces, resourceDefinitions } from './resource-definitions.ts'
import { protoSpec } from './resource-protos.ts'
import type { StoredResource } from './resource-store.ts'
import { type Call, type Method, stream, unary } from './rpc.ts'
import { StatusError } from './status.ts'

interface Target {
  namespace: string
  type: string
}

export const cosiMethods: Method[] = [
  unary<Target & { id: string }>('/cosi.resource.State/Get', async (call, { namespace, type, id }) => {
    authorize(call, { namespace, type })
    const found = call.machine.resources.get(namespace, type, id)
    if (!found) throw new StatusError('NotFound', `resource ${type}(${namespace}/${id}@undefined) doesn't exist`)
    return { resource: message(found) }
  }),
  stream<Target & { options: { idQuery: { regexp: string } | null } | null }>(
    '/cosi.resource.State/List',
    async (call, { namespace, type, options }, send) => {
      authorize(call, { namespace, type })
      const pattern = options?.idQuery?.regexp ? new RegExp(options.idQuery.regexp) : /^/
      for (const found of call.machine.resources.list(namespace, type)) {
        if (pattern.test(found.id)) await send({ resource: message(found) })
      }
    },
  ),
  stream<
    Target & { id?: string; options: { bootstrapContents: boolean; aggregated: boolean } | null; apiVersion: number }
  >('/cosi.resource.State/Watch', watch),
]

const eventTypes = { created: 0, updated: 1, destroyed: 2, bootstrapped: 3 } as const

/** An empty message first, then what there is, then each change, until the caller goes away. */
async function watch(
  call: Call,
  request: Target & {
    id?: string
    options: { bootstrapContents: boolean; aggregated: boolean } | null
    apiVersion: number
  },
  send: (message: object) => Promise<void>,
): Promise<void> {
  const { namespace, type, options } = request
  authorize(call, { namespace, type })
  // proto3 `optional`: proto-loader leaves an absent field out, an empty one is a watch of the whole kind all the same.
  const id = request.id === undefined || request.id === '' ? undefined : request.id
  const { resources } = call.machine
  const wanted = (found: StoredResource) =>
    found.namespace === namespace && found.type === type && (id === undefined || found.id === id)
  await send({})
  let queue = Promise.resolve()
  const emit = (events: object[]) => {
    queue = queue.then(() => (call.signal.aborted ? undefined : send({ event: events })))
  }
  const current = resources.list(namespace, type).filter(wanted)
  const initial = current.map((found) => ({ resource: message(found), eventType: eventTypes.created }))
  if (id === undefined && options?.bootstrapContents) {
    const events = request.apiVersion < 1 ? initial : [...initial, { eventType: eventTypes.bootstrapped }]
    if (options.aggregated) emit(events)
    else for (const event of events) emit([event])
  } else if (id !== undefined) {
    // A watch of one resource begins with its state, absent included.
    const absent = { resource: tombstone(namespace, type, id), eventType: eventTypes.destroyed }
    emit([initial[0] ?? absent])
  }
  const unsubscribe = resources.watch((change) => {
    if (!wanted(change.resource)) return
    const old = change.old ? { old: message(change.old) } : {}
    emit([{ resource: message(change.resource), eventType: eventTypes[change.kind], ...old }])
  })
  await new Promise<void>((resolve) => {
    if (call.signal.aborted) return resolve()
    call.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  unsubscribe()
}

/** resources.AccessPolicy */
function authorize(call: Call, { namespace, type }: Target): void {
  const definition = resourceDefinitions.find((candidate) => candidate.type.toLowerCase() === type.toLowerCase())
  if (!definition) throw new StatusError('PermissionDenied', `resource type ${JSON.stringify(type)} is not supported`)
  if (definition.sensitive && !call.roles.has('os:admin')) throw new StatusError('PermissionDenied', 'not authorized')
  if (!namespaces.has(namespace)) {
    throw new StatusError('PermissionDenied', `namespace ${JSON.stringify(namespace)} is not supported`)
  }
}

function message(found: StoredResource): object {
  const { namespace, type, id, version, created, updated, yaml } = found
  return {
    metadata: {
      namespace,
      type,
      id,
      version: String(version),
      phase: 'running',
      created: timestamp(created),
      updated: timestamp(updated),
      // Without it talosctl 1.12 takes the config for a YAML tree of an older Talos, and shows it twice quoted.
      annotations: type === 'MachineConfigs.config.talos.dev' ? { 'talos.dev/yaml-spec': '1' } : {},
    },
    // talosctl shows the YAML of every type, but needs the bytes of a definition to find the type at all.
    spec: { yamlSpec: yaml, protoSpec: type === definitionType ? definitionBytes(yaml) : protoSpec(type, yaml) },
  }
}

function tombstone(namespace: string, type: string, id: string): object {
  return { metadata: { namespace, type, id, version: 'undefined', phase: 'running' }, spec: { yamlSpec: '' } }
}

function definitionBytes(yaml: string): Buffer {
  const type = String((parse(yaml) as { type: string }).type)
  const definition = resourceDefinitions.find((candidate) => candidate.type === type)
  if (!definition) return Buffer.alloc(0)
  return encodeMessage('cosi.resource.ResourceDefinitionSpec', {
    resourceType: definition.type,
    ...fillDefinition(definition),
    defaultNamespace: definition.namespace,
    printColumns: definition.columns.map(([name, jsonPath]) => ({ name, jsonPath })),
    sensitivity: definition.sensitive ? 1 : 0,
  })
}
