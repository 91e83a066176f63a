/** What the lab commands share. Their --cluster may say `all`, unlike that of other commands. */
import { type CommandContext, type OptionSpec, textOption } from '../../lib/cli/define.ts'
import type { LabChoice } from '../../lib/lab/choice.ts'

export const clusterOption: OptionSpec = {
  flags: '--cluster <name>',
  description: 'cluster, as in kubernetes/clusters/, or all',
  complete: ({ clusters }) => [...clusters.map(({ name }) => name), 'all'],
}

export const labChoice = ({ options }: CommandContext): LabChoice => ({
  labName: textOption(options.labName),
  cluster: textOption(options.cluster),
})
