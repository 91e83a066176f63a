/** Keeps a file that sops encrypted: whole or not at all, never over an old one, never in plain text. */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ConfigError, UsageError } from '../errors.ts'

/**
 * Writes `content` to `file`, which must not exist.
 * @throws ConfigError when the content isn't encrypted; UsageError when the file exists
 */
export async function storeEncrypted(file: string, content: string): Promise<void> {
  const fault = plainTextFault(content)
  if (fault) throw new ConfigError(`${file}: not kept, ${fault}`, [{ file, line: 1, message: fault }])
  await mkdir(dirname(file), { recursive: true })
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(4).toString('hex')}`)
  try {
    const handle = await open(temporary, 'wx', 0o644)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // link() refuses an existing name, which rename() would replace.
    await link(temporary, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new UsageError(`${file} exists; k8sops never writes over a secrets file`, {
      next: `to start anew on purpose: git rm ${file}`,
    })
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Why a text isn't a whole sops file with every value encrypted; undefined when it is one. */
export function plainTextFault(content: string): string | undefined {
  if (content.trim() === '') return 'there was nothing on standard input'
  const split = content.search(/^sops:\s*$/m)
  if (split < 0) return 'it is not encrypted (no sops block)'
  if (!/^\s+mac: ENC\[/m.test(content.slice(split))) return 'it is cut off (no mac)'
  const values = content.slice(0, split).split('\n')
  const plain = values.findIndex((line) => /:\s+\S/.test(line) && !/^\s*#/.test(line) && !/: ENC\[/.test(line))
  return plain < 0 ? undefined : `line ${plain + 1} is in plain text`
}
