/** Single files out of what talhelper makes of a cluster's secrets: a talosconfig, or the configs of some nodes. */
import { X509Certificate } from 'node:crypto'
import { chmod, copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Exec } from '../exec/types.ts'
import type { Result } from '../types.ts'
import type { GenconfigPaths } from './talhelper.args.ts'
import { createMachineConfigPort } from './talhelper.ts'
import { readIdentity } from './talos-api/identity.ts'

export interface GeneratedFiles {
  root: string
  /** 1Password reference of the key that the secrets are encrypted to. */
  ageKey: string
  exec: Exec
  paths: GenconfigPaths
  signal: AbortSignal
}

export interface RenewRequest extends GeneratedFiles {
  /** Absolute path; replaced whole, for its owner only. */
  file: string
}

/** @returns until when its certificate is valid */
export function renewTalosconfig({ root, ageKey, exec, paths, file, signal }: RenewRequest): Promise<Result<Date>> {
  return createMachineConfigPort(root, ageKey, exec).withGenerated(paths, signal, async (directory) => {
    const made = join(root, directory, 'talosconfig')
    const identity = await readIdentity(made)
    if (!identity.ok) return identity
    await replace(made, file)
    return { ok: true, value: new X509Certificate(identity.value.crt).validToDate }
  })
}

/** Makes the configs of some nodes anew; those of the others stay as they are. @param names of the files */
export function renewConfigs({ root, ageKey, exec, paths, signal, names }: GeneratedFiles & { names: string[] }) {
  return createMachineConfigPort(root, ageKey, exec).withGenerated(paths, signal, async (directory) => {
    for (const name of names) await replace(join(root, directory, name), join(root, paths.out, name))
    return { ok: true, value: undefined } satisfies Result<undefined>
  })
}

async function replace(from: string, file: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  try {
    await copyFile(from, draft)
    await chmod(draft, 0o600)
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}
