/** Every version of every file that git has, read through one git process. */
import { spawn } from 'node:child_process'
import { git } from '../revision.ts'

export interface Blob {
  id: string
  path: string
}

/** Longer ones are no manifests, and nobody reads a key out of them by eye. */
const largest = 1024 * 1024

/** Blobs that a commit of any branch, tag or remote reaches, each once. */
export async function blobsOf(root: string): Promise<Blob[]> {
  const [output, prefix] = await Promise.all([
    git(root, ['rev-list', '--objects', '--all']),
    git(root, ['rev-parse', '--show-prefix']),
  ])
  // The repository may be a directory of a larger one.
  const above = prefix.trim()
  const blobs = new Map<string, string>()
  for (const line of output.split('\n')) {
    const split = line.indexOf(' ')
    const path = line.slice(split + 1)
    if (split > 0 && path.startsWith(above) && path !== above) blobs.set(line.slice(0, split), path.slice(above.length))
  }
  return [...blobs].map(([id, path]) => ({ id, path }))
}

/** Files that are in git or would be added: what `.gitignore` names never gets there. Relative to the root. */
export const trackedFiles = async (root: string): Promise<string[]> =>
  (await git(root, ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])).split('\0').filter(Boolean)

/**
 * Calls `look` with the text of each blob; trees, binaries and what is larger than a megabyte are passed over.
 * @returns how many were looked at
 */
export async function readBlobs(
  root: string,
  blobs: Blob[],
  look: (blob: Blob, text: string) => void,
): Promise<number> {
  const child = spawn('git', ['cat-file', '--batch'], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => child.kill())
  child.stdin.end(blobs.map(({ id }) => `${id}\n`).join(''))
  let looked = 0
  let next = 0
  let pending: Buffer = Buffer.alloc(0)
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (;;) {
      const end = pending.indexOf(10)
      if (end < 0) break
      const [, type = '', length = '0'] = pending.toString('latin1', 0, end).split(' ')
      const size = Number(length)
      if (pending.length < end + 1 + size + 1) break
      const blob = blobs[next++]
      const content = pending.subarray(end + 1, end + 1 + size)
      if (blob && type === 'blob' && size <= largest && !content.includes(0)) {
        looked += 1
        look(blob, content.toString('utf8'))
      }
      pending = pending.subarray(end + 1 + size + 1)
    }
  }
  return looked
}

/** The first commit that has the blob, as `1a2b3c4 2026-11-24`. */
export async function commitWith(root: string, id: string): Promise<string> {
  const log = await git(root, ['log', '--all', `--find-object=${id}`, '--format=%h %as'])
  return log.trim().split('\n').at(-1) ?? ''
}
