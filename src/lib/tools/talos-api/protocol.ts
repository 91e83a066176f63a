/** The wire format of the Talos API: its messages and services as proto/ names them, loaded once a process. */
import { fileURLToPath } from 'node:url'
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader'

/** apid's port. */
export const talosPort = 50_000

/** constants.GRPCMaxMessageSize (Talos v1.12) */
export const maxMessageBytes = 32 * 1024 * 1024

export const protoDirectory = fileURLToPath(new URL('./proto/', import.meta.url))

/** 64-bit numbers are decimal strings: member ids use all 64 bits. Every field is there, with proto3's default if it was not sent. */
export const protoOptions = { longs: String, enums: Number, defaults: true } as const

export type MethodPath = `/${string}/${string}`

let definitions: ReturnType<typeof loadSync> | undefined

/** @param path `/machine.MachineService/Version` */
export function methodOf(path: MethodPath): MethodDefinition<object, object> {
  definitions ??= loadSync(['machine.proto', 'cosi.proto'], { ...protoOptions, includeDirs: [protoDirectory] })
  const [, service = '', name = ''] = path.split('/')
  const method = (definitions[service] as ServiceDefinition | undefined)?.[name]
  if (!method) throw new Error(`no method ${path} in ${protoDirectory}`)
  return method as MethodDefinition<object, object>
}
