/** Argv of kubectl 1.35 for a secret's way into a pod. */
import type { Command } from '../types.ts'
import { fieldManager } from './kubectl-hold.args.ts'

/** External Secrets (2.4) looks at once when an annotation has changed; its documents name this one. */
export const forceSyncArgs = (context: string, namespace: string, name: string, token: string): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    '-n',
    namespace,
    'annotate',
    'externalsecrets.external-secrets.io',
    name,
    '--overwrite',
    '--field-manager',
    fieldManager,
    `force-sync=${token}`,
  ],
})

export interface ContainerPlace {
  namespace: string
  pod: string
  container: string
}

/** Digests of files in a container, a line each: `<sha256>  <path>`. */
export const fileDigestsArgs = (context: string, at: ContainerPlace, paths: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, '-n', at.namespace, 'exec', at.pod, '-c', at.container, '--', 'sha256sum', ...paths],
})

/** What `sha256sum` prints, by path. */
export const parseDigests = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm)].map(([, digest = '', path = '']) => [path, digest]),
  )
