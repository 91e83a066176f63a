/** The Secrets with which source-controller would open a remote. The lab's remotes take any; the Secret must be there. */
import type { KubePort } from '../../types.ts'
import { SourceError } from './status.ts'

/** Throws SourceError when the Secret is missing, or lacks a key that an `ssh` URL needs. */
export async function checkCredentials(
  reads: KubePort | undefined,
  url: string,
  namespace: string,
  name: string,
): Promise<void> {
  const listed = await reads?.list({ apiVersion: 'v1', kind: 'Secret', namespace, name })
  if (!listed?.ok) throw new Error(`can't read secret ${namespace}/${name}: ${listed?.detail ?? 'no API server'}`)
  const secret = listed.value[0]
  if (!secret) {
    throw new SourceError(
      'AuthenticationFailed',
      `failed to get secret '${namespace}/${name}': secrets "${name}" not found`,
    )
  }
  const needed = url.startsWith('ssh:') ? ['identity', 'known_hosts'] : []
  const missing = needed.find((key) => !secret.data?.[key])
  if (missing) {
    throw new SourceError(
      'AuthenticationFailed',
      `failed to configure authentication options: invalid 'ssh' auth option: '${missing}' is required`,
    )
  }
}
