/** Who we are to the Talos API: certificate, key and CA of talosconfig's current context. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Result } from '../../types.ts'

/** PEM. */
export interface Identity {
  ca: string
  crt: string
  key: string
}

interface TalosconfigFile {
  context?: string
  contexts?: Record<string, Partial<Identity>> | null
}

/** `not-found` when there is no such file or context. */
export async function readIdentity(path: string): Promise<Result<Identity>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { ok: false, why: 'not-found', detail: `${path} does not exist` }
  }
  try {
    const { parse } = await import('yaml')
    const file = parse(text) as TalosconfigFile | null
    const { ca, crt, key } = file?.contexts?.[file.context ?? ''] ?? {}
    if (ca && crt && key) return { ok: true, value: { ca: pem(ca), crt: pem(crt), key: privateKey(pem(key)) } }
    return { ok: false, why: 'not-found', detail: `${path} has no certificate for context ${file?.context ?? ''}` }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `${path}: ${(error as Error).message}` }
  }
}

const pem = (base64: string) => Buffer.from(base64, 'base64').toString('utf8')

/** Talos gives its keys a label of their own (siderolabs/crypto, `ED25519 PRIVATE KEY`); what it holds is PKCS #8. */
const privateKey = (text: string) => text.replaceAll('ED25519 PRIVATE KEY', 'PRIVATE KEY')

/** When our certificate is out of date, since when (RFC 3339). */
export function expiredSince({ crt }: Identity, now = Date.now()): string | undefined {
  const { validTo } = new X509Certificate(crt)
  return Date.parse(validTo) < now ? new Date(validTo).toISOString() : undefined
}
