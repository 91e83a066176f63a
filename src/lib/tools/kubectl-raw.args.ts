/** Argv of kubectl 1.35 for what is ended through the API server's proxy to a Service: no port is forwarded, nothing is left behind. */
import type { Command } from '../types.ts'

const kubectl = (context: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, ...args],
})

/** DELETEs the path itself. */
export const deletePathArgs = (context: string, path: string): Command => kubectl(context, ['delete', '--raw', path])
