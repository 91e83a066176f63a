import { defineCommand } from '../lib/cli/define.ts'
import { helpTopics } from '../lib/cli/help-topics.ts'
import { UsageError } from '../lib/errors.ts'

export const help = defineCommand({
  path: 'help',
  summary: 'Explain a topic: exit-codes, environment, concepts',
  effect: 'local',
  scope: 'none',
  args: { 'topic?': Object.keys(helpTopics).join(', ') },
  completeArgs: { topic: () => Object.keys(helpTopics) },
  examples: ['k8sops help exit-codes', 'k8sops help concepts'],
  async run({ args, out }) {
    const { topic } = args
    const lines = Object.entries(helpTopics).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
    if (topic === undefined) {
      out(`Topics\n\n${lines.join('\n')}\n\nCommands: k8sops --help, and k8sops COMMAND --help`)
      return undefined
    }
    const found = helpTopics[topic]
    if (!found)
      throw new UsageError(`there is no topic "${topic}"`, {
        next: `k8sops help ${Object.keys(helpTopics).join(' | ')}`,
      })
    out(found.text)
    return undefined
  },
})
