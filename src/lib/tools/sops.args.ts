/** Argv of sops 3. */
import type { Command } from '../types.ts'

/**
 * Encrypts YAML from stdin to the recipients that .sops.yaml names for `file`. sops 3.13 reads stdin when there is no file
 * argument; `/dev/stdin` can't be opened when stdin is a socket, as between processes that Node connects.
 */
export function encryptStdinArgs(file: string): Command {
  return {
    tool: 'sops',
    args: ['encrypt', '--filename-override', file, '--input-type', 'yaml', '--output-type', 'yaml'],
  }
}
