import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import type { RunbookBlock } from '../../lib/repo/runbooks.ts'
import { clusterOption, labChoice } from '../lab/options.ts'
import { chosenBlocks, completeRunbooks } from './choice.ts'

/** Against a real cluster a block is read first and pasted by whoever answers for it (`runbook show`). */
export const runbookRun = defineCommand({
  path: 'runbook run',
  summary: "Rehearse a runbook's commands in a lab, one block after the other",
  description:
    'Every block runs as it is written, with bash, in the environment of `k8sops lab exec`. One that can not be shown in a lab says so and is left out. Exit code 1 when a block failed. Against a real cluster blocks are pasted: `k8sops runbook show`.',
  effect: 'local',
  scope: 'repository',
  args: { runbook: 'its name; with a line, `flux:20`, only the block that begins there' },
  completeArgs: { runbook: completeRunbooks },
  options: [clusterOption],
  examples: ['k8sops runbook run cilium --cluster apps', 'k8sops runbook run flux:20'],
  runbook: 'docs/runbooks/lab.md',
  async run(context) {
    const { root } = await context.repository()
    const { blocks } = chosenBlocks(root, context.args.runbook)
    const [{ oneLab }, { runInLab }] = await Promise.all([
      import('../../lib/lab/choice.ts'),
      import('../../lib/lab/runbook-block.ts'),
    ])
    const record = await oneLab(labChoice(context), context.env)
    const rehearse = async ({ id, section, text, notInLab, labOf = record.cluster }: RunbookBlock) => {
      const detail = notInLab ?? (labOf === record.cluster ? undefined : `only in a lab of ${labOf}`)
      if (detail !== undefined) return { id, section, outcome: 'not-in-lab', detail, exitCode: null }
      context.note(`${id} (${section})\n${text.trimEnd().replace(/^/gm, '  $ ')}`)
      const begun = context.now()
      const exitCode = await runInLab(record, text, context.env)
      const seconds = Math.round((context.now() - begun) / 1000)
      const outcome = exitCode === 0 ? 'passed' : 'failed'
      return { id, section, outcome, detail: exitCode === 0 ? `${seconds} s` : `exit code ${exitCode}`, exitCode }
    }
    const items: Awaited<ReturnType<typeof rehearse>>[] = []
    for (const block of blocks) {
      if (context.signal.aborted) break
      items.push(await rehearse(block))
    }
    return {
      kind: 'RunbookRehearsal',
      items,
      columns: [
        { title: 'block', value: cell('id') },
        { title: 'section', value: cell('section') },
        { title: 'outcome', value: cell('outcome') },
        { title: 'detail', value: cell('detail') },
      ],
      exitCode: items.some(({ outcome }) => outcome === 'failed') ? 1 : exitCodes.ok,
    }
  },
})
