/** `k8sops secrets check`: what git has, now and ever, that only some should read. Says nowhere what a secret is. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from '../layout.ts'
import { filesByPath, type SourceFile, sourceFile } from '../source-files.ts'
import { type EncryptedFile, encryptedFiles, isSopsText } from './encrypted.ts'
import { type Blob, blobsOf, commitWith, readBlobs, trackedFiles } from './git-blobs.ts'
import { readableSecrets } from './readable.ts'

export interface SecretFinding {
  what: string
  file: string
  line: number
  detail: string
  /** Where in history, `1a2b3c4 2026-11-24`; undefined for what is there now. */
  commit?: string
  /** Somebody has said that it is known, and why (.secrets-known). */
  known?: string
}

/** Decrypts a file's text; undefined when it does, otherwise why not. Never throws. */
export type TryDecrypt = (text: string) => Promise<string | undefined>

export interface FilesCheck {
  files: number
  encrypted: EncryptedFile[]
  decrypted: number
  findings: SecretFinding[]
}

/** What somebody looked at and could not take back: a line each, `<blob id> <why>`. */
export const knownFile = '.secrets-known'

/** The working tree: what git has or would take. @param tryDecrypt undefined without the key */
export async function checkFiles(root: string, tryDecrypt: TryDecrypt | undefined): Promise<FilesCheck> {
  const files = (await trackedFiles(root)).flatMap((path) => read(root, path))
  const findings: SecretFinding[] = files.flatMap(({ path, text }) =>
    readableSecrets(path, text).map(({ what, line }) => ({
      what: 'readable',
      file: path,
      line,
      detail: `looks like ${what}`,
    })),
  )
  const encrypted = encryptedFiles(files.filter(({ path }) => mayBeEncrypted(path)))
  const byPath = filesByPath(files)
  // Side by side: the keys are worked on by other threads, and one file after the other waits for each of them.
  const tried = await Promise.all(
    encrypted.map(async ({ path }) => {
      const file = byPath.get(path)
      if (!tryDecrypt || !file || !isSopsText(file)) return undefined
      return { why: await tryDecrypt(file.text) }
    }),
  )
  encrypted.forEach(({ path, faults }, index) => {
    findings.push(...faults.map((fault) => ({ ...fault, file: path })))
    const why = tried[index]?.why
    if (why !== undefined) findings.push({ what: 'undecryptable', file: path, line: 1, detail: why })
  })
  const decrypted = tried.filter((one) => one !== undefined && one.why === undefined).length
  return { files: files.length, encrypted, decrypted, findings }
}

const mayBeEncrypted = (path: string) => /\.(ya?ml|json)$/.test(path)

function read(root: string, path: string): SourceFile[] {
  try {
    const content = readFileSync(join(root, path))
    return content.includes(0) ? [] : [sourceFile(path, content.toString('utf8'))]
  } catch {
    // Deleted and not yet committed, or a link to nowhere: then it is not there.
    return []
  }
}

/** Every version of every file: what was committed once, whoever has a clone has for good. */
export async function checkHistory(root: string): Promise<{ versions: number; findings: SecretFinding[] }> {
  const found: { blob: Blob; what: string; line: number }[] = []
  const blobs = await blobsOf(root)
  const versions = await readBlobs(root, blobs, (blob, text) => {
    for (const { what, line } of readableSecrets(blob.path, text)) found.push({ blob, what, line })
    if (blob.path.endsWith('.sops.yaml') && blob.path !== layout.sopsConfig && !/^sops:$/m.test(text))
      found.push({ blob, what: 'an encrypted file before it was encrypted', line: 1 })
  })
  const known = knownSecrets(root)
  const findings = await Promise.all(
    found.map(async ({ blob, what, line }): Promise<SecretFinding> => {
      const why = known.get(blob.id)
      return {
        what: 'history',
        file: blob.path,
        line,
        detail: `looks like ${what}; blob ${blob.id}`,
        commit: await commitWith(root, blob.id),
        ...(why === undefined ? {} : { known: why }),
      }
    }),
  )
  return { versions, findings }
}

function knownSecrets(root: string): Map<string, string> {
  const [file] = read(root, knownFile)
  const lines = (file?.text ?? '').split('\n').flatMap((line) => {
    const [, id, why] = /^([0-9a-f]{40,64})\s+(\S.*)$/.exec(line) ?? []
    return id !== undefined && why !== undefined ? [[id, why] as const] : []
  })
  return new Map(lines)
}
