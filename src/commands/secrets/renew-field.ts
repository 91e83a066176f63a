import { text } from 'node:stream/consumers'
import { defineCommand } from '../../lib/cli/define.ts'
import { renewedItem } from '../../lib/ops/secret-hops.ts'
import { randomText } from './hops.ts'

/** A filter for the plan of `secrets rotate-test`: a value on a command line could be read by everybody on the machine. */
export const secretsRenewField = defineCommand({
  path: 'secrets renew-field',
  summary: "Put a random value into one concealed field of 1Password's item on stdin",
  effect: 'local',
  scope: 'none',
  args: { field: 'label or id of the field' },
  examples: [
    'op item get rotation-test --format json | k8sops secrets renew-field password | op item edit rotation-test',
  ],
  async run({ args }) {
    process.stdout.write(`${renewedItem(await text(process.stdin), args.field ?? '', randomText)}\n`)
    return undefined
  },
})
