import { text } from 'node:stream/consumers'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { restoreDestination } from '../../lib/ops/volsync-destination.ts'
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
  ],
  examples: [
    'kubectl -n business get replicationsource odoo -o json | k8sops volsync destination odoo-manual --token now | kubectl apply -f -',
  ],
  async run({ args, options, out }) {
    const [token, at] = [textOption(options.token), textOption(options.at)]
    if (!token) throw new UsageError('--token is missing: without a trigger VolSync would restore again and again')
    const source = JSON.parse(await text(process.stdin)) as KubeObject
    const choice = { previous: Number(options.previous), ...(at === undefined ? {} : { at }) }
    out(JSON.stringify(restoreDestination(source, args.name ?? '', token, choice)))
    return undefined
  },
})
