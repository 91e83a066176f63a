/** Options of writes that take files of the repository, and whether those are the ones that the cluster follows. */
import type { CommandContext, OptionSpec } from './define.ts'

/** For a command whose `--reason` also stands for something else. */
export const refOptions: OptionSpec[] = [
  {
    flags: '--ref <ref>',
    description: 'commit that the files must be those of (default: the branch that the cluster follows)',
  },
  {
    flags: '--worktree',
    description: 'take the files of the working tree as they are; needs --reason',
    default: false,
  },
]

export const sourceOptions: OptionSpec[] = [...refOptions, { flags: '--reason <text>', description: 'why --worktree' }]

/** For observeBasis. */
export function sourceChoice({ options }: CommandContext): { ref?: string; worktree: boolean; reason?: string } {
  return {
    ...(typeof options.ref === 'string' ? { ref: options.ref } : {}),
    worktree: options.worktree === true,
    ...(typeof options.reason === 'string' ? { reason: options.reason } : {}),
  }
}
