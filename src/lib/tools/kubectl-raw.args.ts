/** Argv of kubectl 1.35 for what is written through the API server's proxy to a Service: no port is forwarded, nothing is left behind. */
import type { Command } from '../types.ts'

const kubectl = (context: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, ...args],
})

/**
 * POSTs what comes on stdin, as JSON.
 * @param path at the API server, `/api/v1/namespaces/N/services/S:http/proxy/api/v2/silences`
 */
export const postStdinArgs = (context: string, path: string): Command =>
  kubectl(context, ['create', '--raw', path, '-f', '-'])

/** DELETEs the path itself. */
export const deletePathArgs = (context: string, path: string): Command => kubectl(context, ['delete', '--raw', path])
