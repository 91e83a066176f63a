import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { ConfigError, ToolError, UsageError } from '../../lib/errors.ts'
import { layout } from '../../lib/repo/layout.ts'
import { encryptedFiles } from '../../lib/repo/secrets/encrypted.ts'
import { type SourceFile, sourceFile } from '../../lib/repo/source-files.ts'
import { editArgs, encryptInPlaceArgs } from '../../lib/tools/sops-files.args.ts'
import { requireAgeKey, secretsRunbook } from './key.ts'

/** What `sops edit` ends with when nothing was changed. */
const unchanged = 200

export const secretsEdit = defineCommand({
  path: 'secrets edit',
  summary: 'Edit an encrypted file in your editor; sops encrypts it again',
  description:
    'The age key goes from 1Password into the environment of sops and nowhere else. What the editor sees is a temporary file of sops, in memory where the system has /dev/shm.',
  effect: 'local',
  scope: 'repository',
  args: { file: 'encrypted file' },
  examples: ['k8sops secrets edit talos/apps/talsecret.sops.yaml'],
  runbook: secretsRunbook,
  async run(context) {
    const { env } = context
    const { file, root } = await fileOf(context)
    const [{ ageKey }, identity, { whyUndecryptable }] = await Promise.all([
      context.repository(),
      requireAgeKey(context),
      import('../../lib/tools/sops.ts'),
    ])
    // sops would say so too, and quote a value that stands in clear.
    const why = await whyUndecryptable(await readFile(join(root, file), 'utf8'), identity)
    if (why !== undefined)
      throw new ConfigError(`${file} can't be edited`, [{ file, line: 1, message: why }], { runbook: secretsRunbook })
    const exec = await context.exec()
    const editor = env.SOPS_EDITOR ?? env.VISUAL ?? env.EDITOR
    const command = editArgs(join(root, file), ageKey, editor, existsSync('/dev/shm'))
    const { exitCode } = await exec({ pipeline: [command], foreground: true })
    if (exitCode === unchanged) {
      context.note(`${file} is as it was`)
      return undefined
    }
    if (exitCode !== 0)
      throw new ToolError(`sops edit ended with ${exitCode}`, {
        next: 'the file is as it was: k8sops secrets check tells what is wrong with it',
        runbook: secretsRunbook,
      })
    requireEncrypted(root, file)
    context.note(`${file} is encrypted again`)
    return undefined
  },
})

export const secretsEncrypt = defineCommand({
  path: 'secrets encrypt',
  summary: 'Encrypt a file in place, to the recipients that .sops.yaml names for it',
  effect: 'local',
  scope: 'repository',
  args: { file: 'file that .sops.yaml has a rule for, in plain text' },
  examples: ['k8sops secrets encrypt kubernetes/clusters/apps/apps/business/odoo/app/secret.sops.yaml'],
  runbook: secretsRunbook,
  async run(context) {
    const { file, root } = await fileOf(context)
    if (/^sops:$/m.test(await readFile(join(root, file), 'utf8')))
      throw new UsageError(`${file} is encrypted already`, { next: `k8sops secrets edit ${file}` })
    const exec = await context.exec()
    const said = await exec({
      pipeline: [encryptInPlaceArgs(join(root, file))],
      timeoutSec: 60,
      signal: context.signal,
    })
    // What sops says of a file may quote it.
    if (said.exitCode !== 0)
      throw new ToolError(`sops can't encrypt ${file}`, {
        command: said.line,
        next: 'is it YAML? k8sops validate',
        runbook: secretsRunbook,
      })
    requireEncrypted(root, file)
    context.note(`${file} is encrypted`)
    return undefined
  },
})

/** @throws UsageError for a file that is not there, or that .sops.yaml has no rule for */
export async function fileOf({ args, cwd, target }: CommandContext): Promise<{ file: string; root: string }> {
  const { root } = await target()
  const absolute = resolve(cwd, args.file ?? '')
  const file = relative(root, absolute)
  if (file.startsWith('..') || !existsSync(absolute)) throw new UsageError(`${args.file} is no file of this repository`)
  const [seen] = encryptedFiles(filesWith(root, file))
  if (!seen || seen.faults.some(({ what }) => what === 'no-rule'))
    throw new UsageError(`no creation rule of .sops.yaml is about ${file}`, {
      next: 'call it NAME.sops.yaml below kubernetes/ or bootstrap/, or add a rule',
    })
  return { file, root }
}

const filesWith = (root: string, file: string): SourceFile[] =>
  [layout.sopsConfig, file].map((path) => sourceFile(path, readFileSync(join(root, path), 'utf8')))

/**
 * @returns age recipients that it is encrypted to
 * @throws ConfigError when something of it is in plain text, or it is encrypted to others than .sops.yaml names
 */
export function requireEncrypted(root: string, file: string): string[] {
  const [seen] = encryptedFiles(filesWith(root, file))
  const faults = seen?.faults ?? []
  if (faults.length === 0) return seen?.recipients ?? []
  throw new ConfigError(
    `${file} is not as .sops.yaml wants it: do not commit it`,
    faults.map(({ detail, line }) => ({ file, line, message: detail })),
    { next: `k8sops secrets rotate-key ${file}`, runbook: secretsRunbook },
  )
}
