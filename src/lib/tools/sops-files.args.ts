/** Argv of sops 3.13 for files of the repository. The age identity reaches it through its environment, from 1Password at the moment of the call. */
import type { Command } from '../types.ts'

/** Not even a temporary file of sops stands on a disk, where the system has memory to put it in. */
const inMemory = '/dev/shm'

const withKey = (args: string[], ageKey: string, env?: Record<string, string>): Command => ({
  tool: 'sops',
  args,
  secretEnv: { SOPS_AGE_KEY: ageKey },
  ...(env ? { env } : {}),
})

/** @param ageKey `op://` reference @param editor the operator's, which no other child has a use for @param hasMemory /dev/shm is there */
export const editArgs = (file: string, ageKey: string, editor: string | undefined, hasMemory: boolean): Command =>
  withKey(['edit', file], ageKey, {
    ...(editor === undefined ? {} : { SOPS_EDITOR: editor }),
    ...(hasMemory ? { TMPDIR: inMemory } : {}),
  })

/** To the recipients that .sops.yaml names for it; needs no key. */
export const encryptInPlaceArgs = (file: string): Command => ({ tool: 'sops', args: ['encrypt', '--in-place', file] })

/** The recipients become those that .sops.yaml names; the data key stays. */
export const updateKeysArgs = (file: string, ageKey: string): Command => withKey(['updatekeys', '--yes', file], ageKey)

/** A new data key: who had the old one has nothing of it. */
export const rotateArgs = (file: string, ageKey: string): Command => withKey(['rotate', '--in-place', file], ageKey)
