import { readFile, rename, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { ToolError, UsageError } from '../../lib/errors.ts'
import type { Exec } from '../../lib/exec/types.ts'
import { recipientOf } from '../../lib/tools/age.ts'
import { rotateArgs, updateKeysArgs } from '../../lib/tools/sops-files.args.ts'
import { requireEncrypted } from './edit.ts'
import { requireAgeKey, secretsRunbook } from './key.ts'

export const secretsRotateKey = defineCommand({
  path: 'secrets rotate-key',
  summary: 'Encrypt files anew: with a new data key, to the recipients that .sops.yaml names now',
  description:
    'For each file `sops updatekeys` and `sops rotate`; then it is decrypted in memory and compared with what it was. A file that does not come out the same is put back as it was. What is in the files stays: whoever could read them before knows it, so the secrets themselves are changed with `secrets edit`.',
  effect: 'local',
  scope: 'repository',
  args: { 'files...?': 'encrypted files' },
  options: [{ flags: '--all', description: 'every encrypted file of the repository', default: false }],
  examples: ['k8sops secrets rotate-key --all', 'k8sops secrets rotate-key talos/apps/talsecret.sops.yaml'],
  runbook: secretsRunbook,
  async run(context) {
    const [{ root }, { ageKey }] = await Promise.all([context.target(), context.repository()])
    const files = await chosenFiles(context, root)
    const [identity, exec, sops] = await Promise.all([
      requireAgeKey(context),
      context.exec(),
      import('../../lib/tools/sops.ts'),
    ])
    for (const file of files) {
      await rotate({ file, root, ageKey, identity, exec, decrypt: sops.decryptedWith, signal: context.signal })
      context.note(`${file}: new data key, recipients as .sops.yaml names them`)
    }
    return { kind: 'RotatedFileList', items: files.map((file) => ({ file })), text: `${files.length} files\n` }
  },
})

/** @throws UsageError without files, or with those of elsewhere */
async function chosenFiles({ options, rest, cwd }: CommandContext, root: string): Promise<string[]> {
  const named = rest.files ?? []
  if (options.all === true && named.length > 0) throw new UsageError('--all takes no files')
  if (options.all !== true) {
    if (named.length === 0) throw new UsageError('which files?', { next: 'name them, or --all' })
    return named.map((file) => relative(root, resolve(cwd, file)))
  }
  const { checkFiles } = await import('../../lib/repo/secrets/check.ts')
  const { encrypted } = await checkFiles(root, undefined)
  return encrypted.filter(({ recipients }) => recipients.length > 0).map(({ path }) => path)
}

const checkNext = 'k8sops secrets check tells why'

interface Rotation {
  file: string
  root: string
  ageKey: string
  identity: string
  exec: Exec
  decrypt: (text: string, identity: string) => Promise<unknown>
  signal: AbortSignal
}

/** @throws ToolError when it can't be, or does not come out the same; the file is then as it was */
async function rotate({ file, root, ageKey, identity, exec, decrypt, signal }: Rotation): Promise<void> {
  const path = join(root, file)
  const before = await readFile(path, 'utf8')
  const plain = await decrypt(before, identity).catch(() => undefined)
  if (plain === undefined) throw new ToolError(`${file} does not decrypt`, { next: checkNext, runbook: secretsRunbook })
  try {
    for (const command of [updateKeysArgs(path, ageKey), rotateArgs(path, ageKey)]) {
      const said = await exec({ pipeline: [command], timeoutSec: 60, signal })
      // What sops says of a value that it can't decrypt quotes the value.
      if (said.exitCode !== 0)
        throw new ToolError(`${file} can't be encrypted anew`, {
          command: said.line,
          next: checkNext,
          runbook: secretsRunbook,
        })
    }
    const recipients = requireEncrypted(root, file)
    // Someone who takes the key out of .sops.yaml has to use the new one from then on: only then may it stay unread.
    if (!recipients.includes(await recipientOf(identity))) return
    const after = await decrypt(await readFile(path, 'utf8'), identity).catch(() => undefined)
    if (!isDeepStrictEqual(plain, after))
      throw new ToolError(`${file} came out as something else, and was put back`, {
        next: checkNext,
        runbook: secretsRunbook,
      })
  } catch (error) {
    await writeFile(`${path}.before`, before)
    await rename(`${path}.before`, path)
    throw error
  }
}
