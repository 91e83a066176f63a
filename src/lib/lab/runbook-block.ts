/** Runs what a runbook says as it is written, in a lab. */
import { runForeground } from '../exec/foreground.ts'
import type { LabRecord } from './record.ts'
import { labShellEnvironment } from './shell.ts'

/** A block that takes longer waits for what does not come. */
const limitSec = 300

/**
 * @param text the lines between ```bash and ```; what it prints goes to stderr
 * @returns bash's exit code; 124 after 300 s
 */
export function runInLab(record: LabRecord, text: string, env: NodeJS.ProcessEnv): Promise<number> {
  const args = ['--foreground', String(limitSec), 'bash', '-euo', 'pipefail', '-c', mapped(record, text)]
  return runForeground('timeout', args, { cwd: record.root, env: labShellEnvironment(record, env), stdout: 2 })
}

/** Only what is dialled is mapped in a lab (design, section 5): the addresses that talosctl is given. */
const mapped = ({ machines }: LabRecord, text: string) =>
  text.replace(/^.*talosctl.*$/gm, (line) =>
    machines.reduce((mixed, { address, nodeAddress }) => mixed.replaceAll(nodeAddress, address), line),
  )
