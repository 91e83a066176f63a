/** Who we are to the Talos API: certificate, key and CA of talosconfig's current context. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Result } from '../../types.ts'

/** PEM. */
export interface Identity {
  ca: string
  crt: string
  key: string
  /** All three, for connections: made once, because it takes longer than the rest of a call. */
  secureContext: SecureContext
}

interface TalosconfigFile {
  context?: string
  contexts?: Record<string, Partial<Identity>> | null
}

/** `not-found` when there is no such file or context. */
export async function readIdentity(path: string): Promise<Result<Identity>> {
  return createIdentityReader(path)()
}

/** The same whenever it is asked; understood anew only when the file has changed. Those who ask at one time share a look at it. */
export function createIdentityReader(path: string): () => Promise<Result<Identity>> {
  let known: { text: string; identity: Promise<Result<Identity>> } | undefined
  let looking: Promise<Result<Identity>> | undefined
  const look = async (): Promise<Result<Identity>> => {
    try {
      const text = await readFile(path, 'utf8')
      if (known?.text !== text) known = { text, identity: identityIn(text, path) }
      return await known.identity
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return { ok: false, why: 'not-found', detail: `${path} does not exist` }
    } finally {
      looking = undefined
    }
  }
  return () => {
    looking ??= look()
    return looking
  }
}

async function identityIn(text: string, path: string): Promise<Result<Identity>> {
  try {
    const { loadAll } = await import('js-yaml')
    const file = loadAll(text)[0] as TalosconfigFile | null | undefined
    const { ca, crt, key } = file?.contexts?.[file.context ?? ''] ?? {}
    if (!ca || !crt || !key)
      return { ok: false, why: 'not-found', detail: `${path} has no certificate for context ${file?.context ?? ''}` }
    const pems = { ca: pem(ca), crt: pem(crt), key: privateKey(pem(key)) }
    const secureContext = createSecureContext({ ca: pems.ca, cert: pems.crt, key: pems.key })
    return { ok: true, value: { ...pems, secureContext } }
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
