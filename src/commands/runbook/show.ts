import { defineCommand } from '../../lib/cli/define.ts'
import { chosenBlocks, completeRunbooks } from './choice.ts'

export const runbookShow = defineCommand({
  path: 'runbook show',
  summary: 'Print a runbook, or one block of commands to be pasted',
  effect: 'read',
  scope: 'repository',
  args: { runbook: 'its name; with a line, `flux:20`, only the block that begins there' },
  completeArgs: { runbook: completeRunbooks },
  examples: ['k8sops runbook show volsync', 'k8sops runbook show flux -o json | jq .blocks'],
  runbook: 'docs/runbooks/README.md',
  async read(context) {
    const { root } = await context.repository()
    const { runbook, line, blocks } = chosenBlocks(root, context.args.runbook)
    const { name, file, about, symptoms, markdown } = runbook
    return {
      kind: 'Runbook',
      fields: { name, file, about, symptoms, blocks: blocks.map((block) => ({ ...block })) },
      text: line === undefined ? markdown : blocks.map(({ text }) => text).join('\n'),
    }
  },
})
