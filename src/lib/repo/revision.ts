/** A commit's files in a directory of their own: both sides of a comparison are read and rendered the same way. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ToolError, UsageError } from '../errors.ts'
import { quote } from '../exec/render.ts'

const run = promisify(execFile)

/**
 * Runs git in the repository and gives its standard output.
 * @throws ToolError when git fails: the directory is no repository, or holds less than it should
 */
export async function git(root: string, args: string[]): Promise<string> {
  try {
    return (await run('git', args, { cwd: root, maxBuffer: 256 * 1024 * 1024 })).stdout
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    const command = ['git', '-C', root, ...args].map(quote).join(' ')
    throw new ToolError('git could not answer', { command, output: stderr?.trim() || message, cause: error })
  }
}

/** git for quick reads: a failure is an exit code, and nothing has to be loaded for it. */
export const quietGit =
  (root: string, signal?: AbortSignal) =>
  async (args: string[]): Promise<{ exitCode: number | null; stdout: string; stderr: string }> => {
    try {
      const { stdout, stderr } = await run('git', args, {
        cwd: root,
        maxBuffer: 64 * 1024 * 1024,
        ...(signal ? { signal } : {}),
      })
      return { exitCode: 0, stdout, stderr }
    } catch (error) {
      const {
        code,
        stdout = '',
        stderr = '',
        message,
      } = error as Error & { code?: unknown; stdout?: string; stderr?: string }
      return { exitCode: typeof code === 'number' ? code : null, stdout, stderr: stderr || message }
    }
  }

/** The commit of a ref. @throws UsageError when there is none */
export async function commitOf(root: string, ref: string): Promise<string> {
  try {
    return (await git(root, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`])).trim()
  } catch {
    throw new UsageError(`${ref} is no commit of this repository`, { next: 'git fetch, or name another' })
  }
}

/** Where this branch left the main line: the remote's when it is known here. @throws UsageError when there is no main line */
export async function branchPoint(root: string): Promise<string> {
  for (const main of ['origin/HEAD', 'origin/main', 'main', 'master']) {
    const found = await git(root, ['merge-base', 'HEAD', main]).catch(() => undefined)
    if (found) return found.trim()
  }
  throw new UsageError('git knows no main line to compare with', { next: 'name a commit: k8sops diff HEAD~1' })
}

/**
 * Puts files of a commit into a directory of their own. The repository may be a directory of a larger one.
 * @param paths files and directories; those that the commit does not have are not there
 * @returns the directory, and what removes it
 */
export async function checkOut(
  root: string,
  commit: string,
  paths: readonly string[],
): Promise<{ root: string; remove: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'k8sops-commit-'))
  const archive = join(directory, 'files.tar')
  const target = join(directory, 'files')
  mkdirSync(target)
  const prefix = (await git(root, ['rev-parse', '--show-prefix'])).trim()
  const tree = prefix ? `${commit}:${prefix}` : commit
  const there = (await git(root, ['ls-tree', '-z', '--name-only', '--full-tree', tree, '--', ...paths]))
    .split('\0')
    .filter(Boolean)
  await git(root, ['archive', '--format=tar', `--output=${archive}`, tree, '--', ...there])
  await run('tar', ['-xf', archive, '-C', target])
  // flate takes the directory with .git for the root that paths are relative to.
  mkdirSync(join(target, '.git'))
  return { root: target, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** Paths that differ between a commit and another, or the working tree (new files included), relative to the root. */
export async function changedFiles(root: string, commit: string, head?: string): Promise<string[]> {
  if (head !== undefined) {
    const different = await git(root, ['diff', '--name-only', '--no-renames', '--relative', '-z', commit, head])
    return different.split('\0').filter(Boolean).sort()
  }
  const [changed, untracked] = await Promise.all([
    git(root, ['diff', '--name-only', '--no-renames', '--relative', '-z', commit]),
    git(root, ['ls-files', '--others', '--exclude-standard', '-z']),
  ])
  return [...new Set([...changed.split('\0'), ...untracked.split('\0')].filter(Boolean))].sort()
}
