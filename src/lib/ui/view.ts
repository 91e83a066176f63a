/** A view shows a run's events on stderr and decides nothing. */
import type { RunEvent } from '../types.ts'

export interface View {
  onEvent: (event: RunEvent) => void
  /** Everything is shown when it resolves. */
  close: () => Promise<void>
}

export type ViewName = 'tty' | 'plain' | 'json' | 'github'

/** The view for --progress=auto. */
export function chooseView(
  wanted: string,
  stream: { isTTY?: boolean },
  env: NodeJS.ProcessEnv,
  json: boolean,
): ViewName {
  if (wanted === 'tty' || wanted === 'plain' || wanted === 'json' || wanted === 'github') return wanted
  if (env.GITHUB_ACTIONS === 'true') return 'github'
  if (stream.isTTY && !env.CI && env.TERM !== 'dumb') return 'tty'
  return json ? 'json' : 'plain'
}
