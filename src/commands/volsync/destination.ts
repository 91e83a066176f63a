import { text } from 'node:stream/consumers'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { copyOf, restoreDestination } from '../../lib/ops/volsync-destination.ts'
import type { KubeObject } from '../../lib/types.ts'

/** A filter for the plan of `volsync restore`, where a person would have to install jq. */
export const volsyncDestination = defineCommand({
  path: 'volsync destination',
  summary: 'Make a ReplicationDestination out of the ReplicationSource on stdin',
  effect: 'local',
  scope: 'none',
  args: { name: 'what it is called' },
  options: [
    { flags: '--token <token>', description: 'its manual trigger' },
    { flags: '--at <time>', description: 'the newest snapshot that is not younger (RFC 3339)' },
    { flags: '--previous <n>', description: 'so many before that one', default: '0' },
    { flags: '--to <namespace>', description: "namespace, when not the source's own" },
    { flags: '--repository <secret>', description: 'Secret of the repository there' },
  ],
  examples: [
    'kubectl -n business get replicationsource odoo -o json | k8sops volsync destination odoo-manual --token now | kubectl apply -f -',
  ],
  async run({ args, options, out }) {
    const [token, at] = [textOption(options.token), textOption(options.at)]
    if (!token) throw new UsageError('--token is missing: without a trigger VolSync would restore again and again')
    const source = JSON.parse(await text(process.stdin)) as KubeObject
    const choice = { previous: Number(options.previous), ...(at === undefined ? {} : { at }) }
    const [namespace, repository] = [textOption(options.to), textOption(options.repository)]
    const elsewhere = namespace !== undefined && repository !== undefined ? { namespace, repository } : undefined
    out(JSON.stringify(restoreDestination(source, { name: args.name ?? '', token }, choice, elsewhere)))
    return undefined
  },
})

/** Its output goes into the next process of a pipeline; of a Secret nobody else sees it. */
export const volsyncCopy = defineCommand({
  path: 'volsync copy',
  summary: 'Make a new Secret or claim out of the one on stdin',
  effect: 'local',
  scope: 'none',
  args: { name: 'what it is called' },
  options: [{ flags: '--to <namespace>', description: 'its namespace' }],
  examples: ['kubectl -n business get pvc odoo -o json | k8sops volsync copy odoo --to drill | kubectl apply -f -'],
  async run({ args, options, out }) {
    const namespace = textOption(options.to)
    if (!namespace) throw new UsageError('--to is missing')
    out(
      JSON.stringify(copyOf(JSON.parse(await text(process.stdin)) as KubeObject, { namespace, name: args.name ?? '' })),
    )
    return undefined
  },
})
