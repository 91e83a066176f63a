import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cell, defineCommand } from '../../lib/cli/define.ts'
import { ConfigError, exitCodes, ToolError, UsageError } from '../../lib/errors.ts'
import { layout } from '../../lib/repo/layout.ts'
import { checkFiles } from '../../lib/repo/secrets/check.ts'
import { createItemArgs, itemTemplate } from '../../lib/tools/op-item.args.ts'
import { readAgeKey, secretsRunbook } from './key.ts'

export const secretsAgeStatus = defineCommand({
  path: 'secrets age status',
  summary: 'Show where the age key is, whether .sops.yaml names it, and which files it opens',
  description:
    'Reads the key from 1Password into memory, derives its public half, and decrypts every encrypted file with it. Exit 3 when .sops.yaml does not name it or a file does not open, 4 when 1Password does not give it.',
  effect: 'read',
  scope: 'repository',
  examples: ['k8sops secrets age status', 'k8sops secrets age status -o json'],
  runbook: secretsRunbook,
  async read(context) {
    const [{ root }, { ageKey }] = await Promise.all([context.target(), context.repository()])
    const [key, { recipientOf }, { whyUndecryptable }] = await Promise.all([
      readAgeKey(context),
      import('../../lib/tools/age.ts'),
      import('../../lib/tools/sops.ts'),
    ])
    const { encrypted } = await checkFiles(root, undefined)
    const named = [
      ...new Set((await readFile(join(root, layout.sopsConfig), 'utf8')).match(/\bage1[0-9a-z]{58}\b/g) ?? []),
    ]
    const recipient = key.ok ? await recipientOf(key.value).catch(() => undefined) : undefined
    const items = await Promise.all(
      encrypted.map(async ({ path, recipients }) => {
        const why = key.ok ? await whyUndecryptable(await readFile(join(root, path), 'utf8'), key.value) : key.detail
        return { file: path, opens: key.ok ? why === undefined : null, why: why ?? null, recipients }
      }),
    )
    const isNamed = recipient !== undefined && named.includes(recipient)
    const isWell = isNamed && items.every(({ opens }) => opens === true)
    const keyLine = key.ok
      ? `public half ${recipient ?? 'none: the field holds no age key'}`
      : `not read: ${key.detail}`
    const lines = [
      `${ageKey}  ${keyLine}`,
      `${layout.sopsConfig} names ${named.join(', ') || 'nobody'}${key.ok ? (isNamed ? ': this key' : ': not this key') : ''}`,
      ...items.map(
        ({ file, opens, why }) =>
          `${file}  ${opens === null ? 'not tried' : opens ? 'opens' : `does not open: ${why}`}`,
      ),
    ]
    return {
      kind: 'AgeKeyStatus',
      items,
      columns: [{ title: 'file', value: cell('file') }],
      text: `${lines.join('\n')}\n`,
      fields: { reference: ageKey, recipient: recipient ?? null, named, isNamed: key.ok ? isNamed : null },
      exitCode: !key.ok ? exitCodes.unreachable : isWell ? exitCodes.ok : exitCodes.gate,
    }
  },
})

export const secretsAgeNew = defineCommand({
  path: 'secrets age new',
  summary: 'Make a new age key: the private half into a new item of 1Password, the public half into .sops.yaml',
  description:
    'The key is made in memory and handed to `op` on its standard input: no file and no argument ever has it. .sops.yaml names it beside the old one, so that both open everything once the files are encrypted anew. What is left to do, in order, is printed.',
  effect: 'local',
  scope: 'repository',
  args: { reference: 'where it is to be: op://VAULT/ITEM/FIELD; the item must not exist' },
  examples: ['k8sops secrets age new op://k8s-infra/sops-age-2027/private-key'],
  runbook: secretsRunbook,
  async run(context) {
    const reference = context.args.reference ?? ''
    const [, vault, item, field] = /^op:\/\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(reference) ?? []
    if (!vault || !item || !field) throw new UsageError(`${reference} is no op://VAULT/ITEM/FIELD`)
    const [{ root }, { ageKey: before }] = await Promise.all([context.target(), context.repository()])
    const file = join(root, layout.sopsConfig)
    const text = await readFile(file, 'utf8')
    if (!/\bage1[0-9a-z]{58}\b/.test(text))
      throw new ConfigError(`${layout.sopsConfig} has no age recipient that the new one could stand beside`, [])
    const [exec, { newIdentity, recipientOf }] = await Promise.all([context.exec(), import('../../lib/tools/age.ts')])
    const there = await exec({
      pipeline: [{ tool: 'op', args: ['read', reference] }],
      timeoutSec: 60,
      signal: context.signal,
    })
    if (there.exitCode === 0) throw new UsageError(`${reference} is there already`, { next: 'choose another item' })
    const identity = await newIdentity()
    const recipient = await recipientOf(identity)
    const said = await exec({
      pipeline: [createItemArgs(vault)],
      input: itemTemplate(item, field, identity, `Public half: ${recipient}. Made by k8sops for ${layout.sopsConfig}.`),
      timeoutSec: 60,
      signal: context.signal,
    })
    if (said.exitCode !== 0)
      throw new ToolError(`1Password does not take the new key`, {
        command: said.line,
        output: said.stderr,
        runbook: secretsRunbook,
      })
    // Read back before anything is encrypted to it: a key that is nowhere would close the files for good.
    const kept = await exec({
      pipeline: [{ tool: 'op', args: ['read', reference] }],
      timeoutSec: 60,
      signal: context.signal,
    })
    if (kept.exitCode !== 0 || kept.stdout.trim() !== identity)
      throw new ToolError(
        `${reference} does not give the key that was put there: ${layout.sopsConfig} is left as it is`,
      )
    await writeFile(
      file,
      text.replaceAll(/\bage1[0-9a-z]{58}\b(?!,)/g, (last) => `${last},${recipient}`),
    )
    return {
      kind: 'NewAgeKey',
      items: [{ reference, recipient }],
      text: [
        `${reference} holds the new key; ${layout.sopsConfig} names ${recipient} beside the old one.`,
        'What is left, in this order:',
        '  1. k8sops secrets rotate-key --all; commit and push',
        `  2. onePassword.ageKey in ${layout.repositoryFile}: ${reference} (it was ${before})`,
        '  3. Secret flux-system/sops-age of each cluster gets the new key (docs/runbooks/secrets.md)',
        `  4. take the old recipient out of ${layout.sopsConfig}; k8sops secrets rotate-key --all; commit and push`,
        '  5. k8sops secrets age status',
        '',
      ].join('\n'),
    }
  },
})
