/** Argv of the 1Password CLI 2. */
import type { Command } from '../types.ts'

/** Replaces every `op://` reference of a template; the result, with the secrets, on stdout. */
export function injectArgs(template: string): Command {
  return { tool: 'op', args: ['inject', '-i', template] }
}

/** One field on stdout, followed by a newline. */
export function readArgs(reference: string): Command {
  return { tool: 'op', args: ['read', reference] }
}

/** Exits 0 only when an account is signed in (or a service account's token is set). */
export function whoamiArgs(): Command {
  return { tool: 'op', args: ['whoami', '--format', 'json'] }
}
