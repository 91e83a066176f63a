import { resolve } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'

export const talosTalconfigRemove = defineCommand({
  path: 'talos talconfig remove',
  summary: 'Take a node out of a talconfig.yaml, its comments kept',
  effect: 'local',
  scope: 'none',
  args: { node: 'hostname' },
  options: [{ flags: '--file <path>', description: 'the talconfig.yaml' }],
  examples: ['k8sops talos talconfig remove apps-w3 --file talos/apps/talconfig.yaml'],
  runbook: 'docs/runbooks/talos.md',
  async run({ args, options, cwd, note }) {
    if (typeof options.file !== 'string') throw new UsageError('--file is missing')
    const { removeFromTalconfig } = await import('../../lib/tools/talconfig-file.ts')
    await removeFromTalconfig(resolve(cwd, options.file), args.node!)
    note(`${options.file} has no ${args.node} any more: look through the edit, commit and push it`)
    return undefined
  },
})
