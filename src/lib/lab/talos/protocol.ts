/** The message types and services of the proto files, loaded once a process. */
import { fileURLToPath } from 'node:url'
import type { UntypedHandleCall } from '@grpc/grpc-js'
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader'

const directory = fileURLToPath(new URL('./proto/', import.meta.url))

const definitions = loadSync(['machine.proto', 'cluster.proto', 'storage.proto', 'cosi.proto', 'resources.proto'], {
  includeDirs: [directory],
  // 64-bit numbers as decimal strings: member ids use all 64 bits.
  longs: String,
  enums: Number,
  defaults: true,
})

const serviceNames = [
  'machine.MachineService',
  'cluster.ClusterService',
  'storage.StorageService',
  'cosi.resource.State',
] as const

/** Every service that a machine answers. */
export const services: ServiceDefinition[] = serviceNames.map((name) => definitions[name] as ServiceDefinition)

/** Name of a method inside its service's definition, by path (`/machine.MachineService/Version`). */
export type Implementation = Record<string, UntypedHandleCall>

/**
 * A message as bytes, for what travels inside `Any` and `bytes` fields.
 * @param type full name, e.g. `machine.SequenceEvent`
 */
export function encodeMessage(type: string, message: object): Buffer {
  const definition = definitions[type] as MessageTypeDefinition<object, object> | undefined
  if (!definition) throw new Error(`no message type ${type} in ${directory}`)
  return definition.serialize(message)
}

/** google.protobuf.Timestamp of a moment. */
export function timestamp(moment: Date): { seconds: string; nanos: number } {
  const milliseconds = moment.getTime()
  return { seconds: String(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 }
}
