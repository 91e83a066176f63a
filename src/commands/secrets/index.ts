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
    path: 'secrets renew-field',
    summary: "Put a random value into one field of 1Password's item on stdin",
    hidden: true,
    load: async () => (await import('./renew-field.ts')).secretsRenewField,
  },
  {
    path: 'secrets rotate-key',
    summary: 'Encrypt files anew, with a new data key',
    load: async () => (await import('./rotate-key.ts')).secretsRotateKey,
  },
  {
    path: 'secrets rotate-test',
    summary: 'Change an item in 1Password and follow the change into running pods',
    load: async () => (await import('./hops.ts')).secretsRotateTest,
  },
  {
    path: 'secrets sync',
    summary: 'Bring what was changed in 1Password into an application now',
    load: async () => (await import('./hops.ts')).secretsSync,
  },
]
