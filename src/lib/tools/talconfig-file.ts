/** Edits a talconfig.yaml on the disk: whole or not at all. */
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { type NewNode, withNode, withoutNode } from './talconfig-edit.ts'

export const addToTalconfig = (file: string, node: NewNode): Promise<void> =>
  rewrite(file, (text) => withNode(text, node))

export const removeFromTalconfig = (file: string, hostname: string): Promise<void> =>
  rewrite(file, (text) => withoutNode(text, hostname))

async function rewrite(file: string, edit: (text: string) => string): Promise<void> {
  const text = edit(await readFile(file, 'utf8'))
  const draft = `${file}.${process.pid}.draft`
  try {
    const handle = await open(draft, 'w', (await stat(file)).mode & 0o777)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}
