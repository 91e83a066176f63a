/** What a talosconfig file says about its current context. */
import { readFile } from 'node:fs/promises'
import type { Result } from '../types.ts'

interface TalosconfigFile {
  context?: string
  contexts?: Record<string, { crt?: string }> | null
}

/** The client certificate (PEM) of the current context. `not-found` when there is no such file or context. */
export async function talosconfigCertificate(path: string): Promise<Result<string>> {
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
    const { crt } = file?.contexts?.[file.context ?? ''] ?? {}
    if (crt) return { ok: true, value: Buffer.from(crt, 'base64').toString('utf8') }
    return { ok: false, why: 'not-found', detail: `${path} has no certificate for context ${file?.context ?? ''}` }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `${path}: ${(error as Error).message}` }
  }
}
