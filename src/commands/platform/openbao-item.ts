import { text } from 'node:stream/consumers'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { itemTemplate } from '../../lib/ops/openbao-init.ts'

/** A filter for the plan of `platform openbao-init`, where a person would have to install jq. */
export const platformOpenbaoItem = defineCommand({
  path: 'platform openbao-item',
  summary: "Make 1Password's template of an item from what bao operator init printed",
  effect: 'local',
  scope: 'none',
  options: [{ flags: '--title <title>', description: 'title of the item' }],
  examples: [
    'bao operator init -format=json | k8sops platform openbao-item --title openbao-init | op item create --vault k8s-infra -',
  ],
  async run({ options }) {
    if (typeof options.title !== 'string' || options.title === '')
      throw new UsageError('--title is missing', { next: 'k8sops platform openbao-item --help' })
    process.stdout.write(`${itemTemplate(options.title, await text(process.stdin))}\n`)
    return undefined
  },
})
