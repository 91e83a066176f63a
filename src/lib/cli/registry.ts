import type { CommandSpec } from './define.ts'

/** One line of src/commands/index.ts: enough for --help; the command itself is loaded when it is used. */
export interface CommandEntry {
  path: string
  summary: string
  load: () => Promise<CommandSpec>
  /** Not shown in help. */
  hidden?: true
}
