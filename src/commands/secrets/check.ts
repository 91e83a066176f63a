import { type CommandContext, type Data, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes } from '../../lib/errors.ts'
import type { FilesCheck, SecretFinding } from '../../lib/repo/secrets/check.ts'
import type { Json } from '../../lib/types.ts'
import { readAgeKey, secretsRunbook } from './key.ts'

export const secretsCheck = defineCommand({
  path: 'secrets check',
  summary:
    'Check that git has nothing readable that it should not have, and that what is encrypted is so for the right keys',
  description:
    'Looks at every file that git has or would take: keys, tokens, passwords and Secrets in plain text; encrypted files whose recipients are not those of .sops.yaml, or that have plain values; each is decrypted in memory with the age key from 1Password, where that can be had. Keys of ExternalSecrets that nothing takes, and keys that are taken and nobody makes, are found in what both clusters render to. With --history every version of every file is looked at: what was committed once has to be rotated, and is then named in .secrets-known (blob id and why). Prints places, never values. Exit 3 when something is found.',
  effect: 'read',
  scope: 'repository',
  options: [
    { flags: '--history', description: 'every version of every file in git', default: false },
    { flags: '--no-key', description: 'ask 1Password for nothing: recipients are compared only' },
    { flags: '--no-render', description: 'files only: without the keys of ExternalSecrets' },
    { flags: '--max-age <duration>', description: 'also find what was encrypted longer ago, e.g. 365d' },
  ],
  examples: [
    'k8sops secrets check',
    'k8sops secrets check --history',
    'k8sops secrets check --no-key --no-render -o json',
    'k8sops secrets check --max-age 365d',
  ],
  runbook: secretsRunbook,
  async read(context) {
    const { options } = context
    const [{ root }, { checkFiles, checkHistory }, { whyUndecryptable }] = await Promise.all([
      context.target(),
      import('../../lib/repo/secrets/check.ts'),
      import('../../lib/tools/sops.ts'),
    ])
    const key = options.key === false ? undefined : await readAgeKey(context)
    const identity = key?.ok ? key.value : undefined
    const [files, history, rendered] = await Promise.all([
      checkFiles(root, identity === undefined ? undefined : (text) => whyUndecryptable(text, identity)),
      options.history ? checkHistory(root) : undefined,
      options.render === false ? [] : renderedFindings(context),
    ])
    const findings = [...files.findings, ...tooOld(files, options.maxAge), ...rendered, ...(history?.findings ?? [])]
    const keyText = key === undefined ? 'not asked for' : key.ok ? 'read' : `not read: ${key.detail}`
    return reportOf({ findings, files, keyText, versions: history?.versions })
  },
})

/** What the rules of `validate` say of Secrets that are taken and made. */
async function renderedFindings({ env, signal, repository }: CommandContext): Promise<SecretFinding[]> {
  const [{ readView }, { renderersOf }, { checkRules }, { takenRules }, opened] = await Promise.all([
    import('../../lib/repo/read-view.ts'),
    import('../../lib/repo/renderers.ts'),
    import('../../lib/repo/rules/check.ts'),
    import('../../lib/repo/rules/taken.ts'),
    repository(),
  ])
  const { view } = await readView(opened, opened.clusters, renderersOf(opened.root, env, signal))
  const { findings } = await checkRules(view, { only: takenRules })
  return findings.map(({ rule, file, line, message }) => ({
    what: rule === 'secret-is-taken' ? 'unused' : 'missing',
    file,
    line,
    detail: message,
  }))
}

function tooOld({ encrypted }: FilesCheck, maxAge: unknown): SecretFinding[] {
  if (typeof maxAge !== 'string') return []
  const oldest = Date.now() - parseDurationSec(maxAge) * 1000
  return encrypted
    .filter(({ lastModified }) => lastModified !== undefined && Date.parse(lastModified) < oldest)
    .map(({ path, lastModified }) => ({
      what: 'old',
      file: path,
      line: 1,
      detail: `encrypted at ${lastModified}, longer than ${maxAge} ago`,
    }))
}

interface Report {
  findings: SecretFinding[]
  files: FilesCheck
  keyText: string
  versions: number | undefined
}

function reportOf({ findings, files, keyText, versions }: Report): Data {
  const open = findings.filter(({ known }) => known === undefined)
  const { encrypted } = files
  const ages = encrypted.flatMap(({ lastModified }) => lastModified ?? []).toSorted()
  const lines = [
    ...findings.map(
      ({ file, line, commit, what, detail, known }) =>
        `${file}:${line}${commit ? ` (${commit})` : ''}  ${what}: ${detail}${known ? `; known: ${known}` : ''}`,
    ),
    `${files.files} files, ${encrypted.length} of them encrypted${ages[0] ? `, the oldest at ${ages[0]}` : ''}; ${files.decrypted} decrypted (age key ${keyText})`,
    ...(versions === undefined ? [] : [`${versions} versions of files in history`]),
    open.length === 0 ? 'nothing found' : `${open.length} found`,
  ]
  return {
    kind: 'SecretsReport',
    text: `${lines.join('\n')}\n`,
    items: findings.map((finding) => ({ ...finding })),
    fields: {
      found: open.length,
      files: files.files,
      encrypted: encrypted.map(({ path, recipients, lastModified = null }) => ({
        path,
        recipients,
        lastModified,
      })) as Json,
      decrypted: files.decrypted,
      key: keyText,
      versions: versions ?? null,
    },
    exitCode: open.length > 0 ? exitCodes.gate : exitCodes.ok,
  }
}
