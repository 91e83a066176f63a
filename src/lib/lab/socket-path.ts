/** Unix sockets in directories whose names are longer than the kernel takes. */
import { closeSync, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/** The kernel's limit for the path of a unix socket is 107 bytes; a state directory may well be longer. */
const longestPath = 107

/** Runs `use` with a path of the socket that the kernel takes: for long ones through a descriptor of its directory. */
export function shortSocketPath<T>(path: string, use: (path: string, done: () => void) => T): T {
  if (Buffer.byteLength(path) <= longestPath) return use(path, () => {})
  const descriptor = openSync(dirname(path), 'r')
  return use(`/proc/self/fd/${descriptor}/${basename(path)}`, () => closeSync(descriptor))
}
