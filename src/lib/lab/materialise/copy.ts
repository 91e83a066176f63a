/**
 * The lab's own copy of the repository: HEAD plus the working changes, without what git ignores. Two edits are made to
 * it here: addresses that are dialled become loopback addresses (in talos/ only, because Kubernetes refuses loopback
 * addresses in its objects), and `# CONFIRM:` marks go, since nothing in a rehearsal depends on them.
 */
import { execFile } from 'node:child_process'
import { copyFile, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { UsageError } from '../../errors.ts'
import { layout } from '../../repo/layout.ts'

const run = promisify(execFile)

/** At most this many files are open at once. */
const batch = 64

/**
 * Copies the working tree at `source` to `target`.
 * @returns the paths that were copied, relative to the root
 * @throws UsageError when `source` is no git work tree
 */
export async function copyWorkingTree(source: string, target: string): Promise<string[]> {
  const paths = await workingTree(source)
  const dirs = new Set(paths.map((path) => dirname(join(target, path))))
  for (const dir of dirs) await mkdir(dir, { recursive: true })
  for (let start = 0; start < paths.length; start += batch) {
    await Promise.all(paths.slice(start, start + batch).map((path) => copyOne(join(source, path), join(target, path))))
  }
  return paths
}

/** What git would commit if everything were added: tracked and new files that exist, ignored ones left out. */
async function workingTree(source: string): Promise<string[]> {
  try {
    // Several clusters' worth of files is some hundred kilobytes of names.
    const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: source,
      maxBuffer: 64 * 1024 * 1024,
    })
    const listed = [...new Set(stdout.split('\0').filter(Boolean))]
    const present = await Promise.all(listed.map((path) => lstat(join(source, path)).catch(() => undefined)))
    // A deleted file is still in the index; a submodule is a directory.
    return listed.filter((_, index) => present[index]?.isFile() || present[index]?.isSymbolicLink())
  } catch (error) {
    throw new UsageError(`${source} is no git work tree, so there is nothing to rehearse`, {
      command: 'git ls-files --cached --others --exclude-standard',
      output: (error as { stderr?: string }).stderr ?? String(error),
      next: 'run git init and commit the repository first',
    })
  }
}

async function copyOne(from: string, to: string): Promise<void> {
  if ((await lstat(from)).isSymbolicLink()) await symlink(await readlink(from), to)
  else await copyFile(from, to)
}

/**
 * Rewrites text files below `root`.
 * @param paths relative to root; others are left alone
 * @param rewrite returns the same string for what needs no change
 */
export async function rewriteFiles(
  root: string,
  paths: string[],
  rewrite: (path: string, text: string) => string,
): Promise<void> {
  for (let start = 0; start < paths.length; start += batch) {
    await Promise.all(
      paths.slice(start, start + batch).map(async (path) => {
        const file = join(root, path)
        const text = await readFile(file, 'utf8')
        const changed = rewrite(path, text)
        if (changed !== text) await writeFile(file, changed)
      }),
    )
  }
}

/** The files of one cluster's Talos configuration that may hold addresses. */
export function talosFiles(paths: string[], cluster: string): string[] {
  return paths.filter((path) => path.startsWith(`${layout.talos(cluster)}/`) && isText(path))
}

/** The files in which a `# CONFIRM:` mark counts. */
export function confirmFiles(paths: string[]): string[] {
  return paths.filter((path) => /^(talos|kubernetes|bootstrap)\//.test(path) && isText(path))
}

const isText = (path: string) => /\.(ya?ml|tpl|gotmpl|json)$/.test(path) && !path.endsWith('.sops.yaml')

/**
 * Replaces each address by what stands for it, also inside URLs and with a port, but not as part of a longer number
 * and not with a prefix length: `10.25.13.11/24` is configuration of a link, which nobody dials.
 */
export function mapAddresses(text: string, mapping: ReadonlyMap<string, string>): string {
  return text.replace(
    /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d|\/\d)/g,
    (address) => mapping.get(address) ?? address,
  )
}

/** Takes `# CONFIRM: ...` comments away and keeps the number of lines, so that messages about lines stay true. */
export function withoutConfirmMarks(text: string): string {
  return text.replace(/(^|[^\S\n]+)#[^\S\n]*CONFIRM:.*$/gm, '')
}
