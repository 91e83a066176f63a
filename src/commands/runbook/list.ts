import { cell, defineCommand } from '../../lib/cli/define.ts'
import { readRunbooks } from '../../lib/repo/runbooks.ts'

export const runbookList = defineCommand({
  path: 'runbook list',
  summary: 'Find a runbook by what is wrong',
  effect: 'read',
  scope: 'repository',
  args: { 'words...?': 'only runbooks in whose name or symptoms these words stand' },
  examples: ['k8sops runbook list', 'k8sops runbook list PVC Pending'],
  runbook: 'docs/runbooks/README.md',
  async read(context) {
    const { root } = await context.repository()
    const words = (context.rest.words ?? []).map((word) => word.toLowerCase())
    const items = readRunbooks(root)
      .map(({ name, file, about, symptoms, blocks }) => {
        const rehearsed = blocks.filter(({ notInLab }) => notInLab === undefined).length
        return { name, symptoms, about, file, blocks: blocks.length, rehearsed }
      })
      .filter(({ name, symptoms }) => {
        const text = [name, ...symptoms].join('\n').toLowerCase()
        return words.every((word) => text.includes(word))
      })
    return {
      kind: 'RunbookList',
      items,
      columns: [
        { title: 'runbook', value: cell('name') },
        { title: 'when', value: ({ symptoms }) => (symptoms as string[]).join(' · ') },
        { title: 'commands', value: cell('blocks'), wide: true },
        { title: 'in a lab', value: cell('rehearsed'), wide: true },
        { title: 'file', value: cell('file'), wide: true },
      ],
    }
  },
})
