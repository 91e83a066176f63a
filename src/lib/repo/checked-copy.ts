/** Asks the rules about a repository as it would be with other files, before one of them is written. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openRepository } from '../config/load.ts'
import { ConfigError } from '../errors.ts'
import { layout } from './layout.ts'

/** @throws ConfigError with everything that would be wrong */
export async function checkedCopy(root: string, files: ReadonlyMap<string, string>): Promise<void> {
  const copy = await mkdtemp(join(tmpdir(), 'k8sops-checked-'))
  try {
    for (const part of [layout.repositoryFile, layout.sopsConfig, layout.talosRoot, layout.clusters])
      await cp(join(root, part), join(copy, part), { recursive: true })
    for (const [file, text] of files) {
      await mkdir(dirname(join(copy, file)), { recursive: true })
      await writeFile(join(copy, file), text)
    }
    const { problems } = await openRepository(copy)
    if (problems.length === 0) return
    throw new ConfigError('the new files would break rules; nothing was written', problems, {
      next: 'give other networks, names or numbers',
    })
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
