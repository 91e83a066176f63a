/** The commit that is checked out. */
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Git } from './source.ts'

/**
 * Read where git keeps it, since a process for this one line takes as long as a look at a cluster; git itself is asked where that is not plain.
 * @returns undefined outside of git and before the first commit
 */
export async function headCommit(git: Git, root: string): Promise<string | undefined> {
  const plain = process.env.GIT_DIR ? undefined : await readHead(root).catch(() => undefined)
  if (plain !== undefined) return plain
  const head = await git(['rev-parse', '--verify', '--quiet', 'HEAD'])
  return head.exitCode === 0 ? head.stdout.trim() : undefined
}

async function readHead(root: string): Promise<string | undefined> {
  const at = join(root, '.git')
  // A worktree has a file there, which names its own directory; the branches are in the one that all of them share.
  const own = (await stat(at)).isDirectory() ? at : resolve(root, after(await readFile(at, 'utf8'), 'gitdir: '))
  const head = await readFile(join(own, 'HEAD'), 'utf8')
  if (isCommit(head.trim())) return head.trim()
  const shared = await readFile(join(own, 'commondir'), 'utf8').then(
    (path) => resolve(own, path.trim()),
    () => own,
  )
  const branch = await readFile(join(shared, after(head, 'ref: ')), 'utf8')
  // Packed, or the name of another one: git knows.
  return isCommit(branch.trim()) ? branch.trim() : undefined
}

function after(line: string, key: string): string {
  if (!line.startsWith(key)) throw new Error(`no ${key}`)
  return line.slice(key.length).trim()
}

const isCommit = (text: string) => /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text)
