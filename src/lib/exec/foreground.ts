import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/**
 * Runs a program in the foreground of this terminal.
 * @returns the exit code as a shell reports it: 128 plus the signal's number for a killed one, 127 when there is no such program
 */
export function runForeground(
  file: string,
  args: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; stdout?: number },
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['inherit', options.stdout ?? 'inherit', 'inherit'],
  })
  child.once('error', () => resolve(127))
  child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  return promise
}
