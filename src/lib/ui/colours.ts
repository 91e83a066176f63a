import { Chalk, type ChalkInstance } from 'chalk'

export type Colours = ChalkInstance

/**
 * Colours for a stream: none without a terminal, with --no-color, or with NO_COLOR set to anything (no-color.org);
 * FORCE_COLOR turns them on without a terminal. chalk itself looks at stdout only, and not at NO_COLOR.
 */
export function createColours(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv, wanted: boolean = true): Colours {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0'
  const on = wanted && !env.NO_COLOR && env.TERM !== 'dumb' && (stream.isTTY === true || forced)
  return new Chalk({ level: on ? 1 : 0 })
}
