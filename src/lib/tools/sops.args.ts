/** Argv of sops 3. */
import type { Command } from '../types.ts'

/** Encrypts YAML from stdin to the recipients that .sops.yaml names for `file`. */
export function encryptStdinArgs(file: string): Command {
  return {
    tool: 'sops',
    args: ['encrypt', '--filename-override', file, '--input-type', 'yaml', '--output-type', 'yaml', '/dev/stdin'],
  }
}
