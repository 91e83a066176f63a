/** Commands on secrets: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const secretsCommands: CommandEntry[] = [
  {
    path: 'secrets age new',
    summary: 'Make a new age key, in 1Password',
    load: async () => (await import('./age.ts')).secretsAgeNew,
  },
  {
    path: 'secrets age status',
    summary: 'Show where the age key is, and what it opens',
    load: async () => (await import('./age.ts')).secretsAgeStatus,
  },
  {
    path: 'secrets check',
    summary: 'Check that nothing secret can be read in git, now or ever',
    load: async () => (await import('./check.ts')).secretsCheck,
  },
  {
    path: 'secrets edit',
    summary: 'Edit an encrypted file',
    load: async () => (await import('./edit.ts')).secretsEdit,
  },
  {
    path: 'secrets encrypt',
    summary: 'Encrypt a file in place',
    load: async () => (await import('./edit.ts')).secretsEncrypt,
  },
  {
    path: 'secrets rotate-key',
    summary: 'Encrypt files anew, with a new data key',
    load: async () => (await import('./rotate-key.ts')).secretsRotateKey,
  },
]
