/** What the lab commands share. Their --cluster may say `all`, unlike that of other commands. */
import type { CommandContext, OptionSpec } from '../../lib/cli/define.ts'
import type { LabChoice } from '../../lib/lab/choice.ts'

export const clusterOption: OptionSpec = {
  flags: '--cluster <name>',
  description: 'cluster, as in kubernetes/clusters/, or all',
  complete: ({ clusters }) => [...clusters.map(({ name }) => name), 'all'],
}

export const text = (value: CommandContext['options'][string]): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

export const labChoice = ({ options }: CommandContext): LabChoice => ({
  labName: text(options.labName),
  cluster: text(options.cluster),
})
