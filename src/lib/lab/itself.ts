/** This program once more, as a process of its own. */
import { join } from 'node:path'
import { runForeground } from '../exec/foreground.ts'

const program = join(import.meta.dirname, '../../../bin/k8sops.js')

/** Another k8sops command, as a process of its own. Its data go to our stderr: our stdout has data of its own. */
export function runItself(args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<number> {
  return runForeground(process.execPath, [program, ...args], { ...options, stdout: 2 })
}
