import { type CommandContext, cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes, UsageError } from '../../lib/errors.ts'
import { traceUp } from '../../lib/ops/flux-tree.ts'
import { fluxKinds, shortRevision } from '../../lib/ops/flux-view.ts'
import { getObjectArgs } from '../../lib/tools/kubectl.args.ts'
import type { KubeObject } from '../../lib/types.ts'
import { observeHoldable } from './holding.ts'

export const fluxTrace = defineCommand({
  path: 'flux trace',
  summary: 'Tell which HelmRelease, Kustomization, source and commit an object comes from',
  description: 'Exit code 3 when Flux has not applied it.',
  effect: 'read',
  scope: 'cluster',
  args: { kind: 'as kubectl names it: deployment, httproutes.gateway.networking.k8s.io', name: 'its name' },
  options: [{ flags: '-n, --namespace <namespace>', description: 'its namespace' }],
  examples: ['k8sops flux trace deployment coredns -n kube-system --cluster apps'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const [object, { views }] = await Promise.all([readObject(context), observeHoldable(context, fluxKinds)])
    const links = traceUp(object.metadata.labels ?? {}, views)
    return {
      kind: 'FluxTrace',
      items: links.map((link) => ({ ...link })),
      columns: [
        { title: 'kind', value: cell('kind') },
        { title: 'name', value: cell('name') },
        { title: 'state', value: cell('state') },
        { title: 'revision', value: (row) => shortRevision(row.revision as string | null) },
        { title: 'message', value: cell('message') },
      ],
      exitCode: links.length > 0 ? exitCodes.ok : exitCodes.gate,
    }
  },
})

/** kubectl knows kinds by all their names. @throws UsageError for what is not there */
async function readObject(context: CommandContext): Promise<KubeObject> {
  const { kind = '', name = '' } = context.args
  const [target, exec] = await Promise.all([context.target(), context.exec()])
  const namespace = typeof context.options.namespace === 'string' ? context.options.namespace : undefined
  const pipeline = [getObjectArgs(target.context, kind, name, namespace)]
  const read = await exec({ pipeline, timeoutSec: 30, signal: context.signal })
  if (read.exitCode === 0) return JSON.parse(read.stdout) as KubeObject
  throw new UsageError(`${kind} ${name} can't be read`, { command: read.line, output: read.stderr.trim() })
}
