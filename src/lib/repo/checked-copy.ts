/** Asks the rules about a repository as it would be with other files, before one of them is written. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readRepositoryFiles } from '../config/files.ts'
import { checkFiles } from '../config/rules/index.ts'
import type { Problem } from '../types.ts'
import { layout } from './layout.ts'

const read = [layout.repositoryFile, layout.sopsConfig, layout.talosRoot, layout.clusters]

/**
 * @param root undefined: of a repository that has no other files
 * @param files texts by path
 * @param removed what is not there any more
 * @returns everything that would be wrong
 */
export async function problemsWith(
  root: string | undefined,
  files: ReadonlyMap<string, string>,
  removed: string[] = [],
): Promise<Problem[]> {
  const copy = await mkdtemp(join(tmpdir(), 'k8sops-checked-'))
  try {
    if (root !== undefined) for (const part of read) await cp(join(root, part), join(copy, part), { recursive: true })
    for (const path of removed) await rm(join(copy, path), { recursive: true, force: true })
    for (const [file, text] of files) {
      await mkdir(dirname(join(copy, file)), { recursive: true })
      await writeFile(join(copy, file), text)
    }
    const found = await readRepositoryFiles(copy)
    return [...found.problems, ...(await checkFiles(found))]
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
