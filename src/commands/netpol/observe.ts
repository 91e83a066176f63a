import type { CommandContext } from '../../lib/cli/define.ts'
import { UnreachableError } from '../../lib/errors.ts'
import { type BypassView, bypasses } from '../../lib/ops/netpol-bypass.ts'

export interface SeenNamespaces {
  namespaces: string[]
  bypassed: BypassView[]
}

/** @throws UnreachableError when the cluster does not tell */
export async function observeNamespaces(context: CommandContext): Promise<SeenNamespaces> {
  const kube = await context.kube()
  const read = await kube.list({ apiVersion: 'v1', kind: 'Namespace' }, context.signal)
  if (read.ok) return { namespaces: read.value.map(({ metadata }) => metadata.name), bypassed: bypasses(read.value) }
  throw new UnreachableError(`namespaces of ${(await context.cluster()).name} can't be read`, { output: read.detail })
}
