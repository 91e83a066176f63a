/** Decrypts a cluster's Talos secrets in memory. In process (sops-age), so that nothing is written or printed. */
import { readFile } from 'node:fs/promises'
import type { DecryptFailure, TalosSecrets } from '../gates/ports.ts'

type Decrypted = { ok: true; value: TalosSecrets } | { ok: false; why: DecryptFailure; detail: string }

/** What talhelper 3.1 and talosctl write as `talsecret.yaml`, the parts that are looked at. */
interface SecretsBundle {
  secrets?: { secretboxencryptionsecret?: string }
  certs?: { k8s?: { crt?: string }; os?: { crt?: string } }
}

/**
 * @param file absolute path of talsecret.sops.yaml
 * @param readKey gives the age private key; only asked when the file is there
 */
export async function decryptTalosSecrets(
  file: string,
  readKey: () => Promise<{ ok: true; value: string } | { ok: false; detail: string }>,
): Promise<Decrypted> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => error)
  if (typeof text !== 'string') {
    const detail = text.code === 'ENOENT' ? 'the file does not exist' : text.message
    return { ok: false, why: text.code === 'ENOENT' ? 'missing-file' : 'undecryptable', detail }
  }
  if (!/^sops:/m.test(text)) return { ok: false, why: 'undecryptable', detail: 'the file is not encrypted with sops' }
  const key = await readKey()
  if (!key.ok) return { ok: false, why: 'no-key', detail: `the age key can't be read from 1Password: ${key.detail}` }
  let bundle: SecretsBundle
  try {
    const { decryptSops } = await import('sops-age')
    bundle = (await decryptSops(text, { fileType: 'yaml', secretKey: secretKeyLine(key.value) })) as SecretsBundle
  } catch (error) {
    return { ok: false, why: 'undecryptable', detail: `the age key does not decrypt it: ${(error as Error).message}` }
  }
  const { k8s, os } = bundle.certs ?? {}
  if (!k8s?.crt || !os?.crt) return { ok: false, why: 'incomplete', detail: 'certs.k8s.crt or certs.os.crt is missing' }
  return {
    ok: true,
    value: {
      kubernetesCa: Buffer.from(k8s.crt, 'base64').toString('utf8'),
      talosCa: Buffer.from(os.crt, 'base64').toString('utf8'),
      hasSecretbox: Boolean(bundle.secrets?.secretboxencryptionsecret),
    },
  }
}

/** `age-keygen` writes two comment lines above the key; an item in 1Password may hold the whole file. */
export function secretKeyLine(text: string): string {
  return text.split(/\s+/).find((word) => word.startsWith('AGE-SECRET-KEY-')) ?? text.trim()
}

/**
 * Tells whether an identity decrypts a file of sops: the data key, and every value with it. The plain text is not kept.
 * @returns undefined when it does, else why not, without a word of what is in it
 */
export async function whyUndecryptable(text: string, identity: string): Promise<string | undefined> {
  try {
    await decryptedWith(text, identity)
    return undefined
  } catch (error) {
    // A library's message may quote what it could not read.
    const message = error instanceof Error ? error.message : ''
    if (/no identity matched|no matching (key|identit)|recipient|unwrap/i.test(message))
      return 'the age key is not among its recipients'
    return 'its values do not decrypt with its own data key: it was changed by hand, or cut off'
  }
}

/** The plain document, in memory only. @throws when the identity does not decrypt it */
export async function decryptedWith(text: string, identity: string): Promise<unknown> {
  const { decryptSops } = await import('sops-age')
  return decryptSops(text, { fileType: 'yaml', secretKey: identity })
}
