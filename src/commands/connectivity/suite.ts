import type { CommandContext, OptionSpec } from '../../lib/cli/define.ts'
import type { Suite } from '../../lib/tools/connectivity.args.ts'

export const suiteOption: OptionSpec = {
  flags: '--suite <suite>',
  description:
    'quick: each node to the next one, five tests of the cilium CLI; full: everything, half an hour and more',
  choices: ['quick', 'full'],
  default: 'quick',
}

export const suiteOf = ({ suite }: CommandContext['options']): Suite => (suite === 'full' ? 'full' : 'quick')
