/** Files that a scaffold writes: all of them, or none. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '../errors.ts'

/**
 * @param files texts by path below `root`
 * @throws UsageError when one is there already; nothing is written then
 */
export async function writeNewFiles(root: string, files: ReadonlyMap<string, string>): Promise<void> {
  const there = [...files.keys()].filter((file) => existsSync(join(root, file)))
  if (there.length > 0)
    throw new UsageError(`there already: ${there.join(', ')}`, { next: 'another name, or edit what is there' })
  const written: string[] = []
  try {
    for (const [file, text] of files) {
      await mkdir(dirname(join(root, file)), { recursive: true })
      written.push(file)
      await writeFile(join(root, file), text, { flag: 'wx' })
    }
  } catch (error) {
    for (const file of written) await rm(join(root, file), { force: true })
    throw error
  }
}

/** Replaces a file's text in one move. */
export async function editFile(root: string, file: string, edit: (text: string) => string): Promise<void> {
  const path = join(root, file)
  await writeFile(`${path}.new`, edit(await readFile(path, 'utf8')))
  await rename(`${path}.new`, path)
}
