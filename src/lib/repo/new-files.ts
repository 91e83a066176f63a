/** Files that a scaffold writes, edits or takes away: all of them, or none. */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '../errors.ts'
import { layout } from './layout.ts'

export interface FileChanges {
  /** Texts by path below the root; none of them is there yet. */
  fresh?: ReadonlyMap<string, string>
  /** New texts of files that are there. */
  edited?: ReadonlyMap<string, string>
  /** Files and directories. */
  removed?: string[]
}

/**
 * Everything new stands beside its place before the first file is touched; what then fails is taken back.
 * @throws UsageError when a fresh file is there already; nothing is written then
 */
export async function changeFiles(root: string, changes: FileChanges): Promise<void> {
  const { fresh = new Map(), edited = new Map(), removed = [] } = changes
  const there = [...fresh.keys()].filter((file) => existsSync(join(root, file)))
  if (there.length > 0)
    throw new UsageError(`there already: ${there.join(', ')}`, { next: 'another name, or edit what is there' })
  const aside = join(root, layout.state, `changing-${process.pid}`)
  const undo: (() => Promise<void>)[] = []
  /** Of a rename, which needs no space and can't half happen. */
  const move = async (from: string, to: string) => {
    await mkdir(dirname(to), { recursive: true })
    await rename(from, to)
    undo.unshift(() => rename(to, from))
  }
  try {
    for (const [file, text] of [...fresh, ...edited]) {
      await mkdir(dirname(join(aside, 'new', file)), { recursive: true })
      await writeFile(join(aside, 'new', file), text)
    }
    for (const file of removed) await move(join(root, file), join(aside, 'old', file))
    for (const file of fresh.keys()) await move(join(aside, 'new', file), join(root, file))
    for (const file of edited.keys()) {
      // Nobody finds it away: the new text takes its place in one move.
      await mkdir(dirname(join(aside, 'old', file)), { recursive: true })
      await copyFile(join(root, file), join(aside, 'old', file))
      await rename(join(aside, 'new', file), join(root, file))
      undo.unshift(() => rename(join(aside, 'old', file), join(root, file)))
    }
  } catch (error) {
    for (const back of undo) await back()
    for (const file of fresh.keys()) await removeEmpty(root, dirname(file))
    throw error
  } finally {
    await rm(aside, { recursive: true, force: true })
    await removeEmpty(root, layout.state)
  }
  for (const file of removed) await removeEmpty(root, dirname(file))
}

/** Upwards: git knows no empty directory, so none is left that was made for a file. */
async function removeEmpty(root: string, directory: string): Promise<void> {
  if (directory === '.' || !existsSync(join(root, directory)) || (await readdir(join(root, directory))).length > 0)
    return
  await rmdir(join(root, directory))
  await removeEmpty(root, dirname(directory))
}
