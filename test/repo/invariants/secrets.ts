/** Secrets are encrypted to the recipients of .sops.yaml, and nothing else looks like one. */
import { parse, parseAllDocuments } from 'yaml'
import { type Invariant, isOperated, type SourceFile } from './view.ts'

interface SopsRule {
  path_regex: string
  age?: string
}
interface SopsMetadata {
  age?: { recipient: string }[]
  mac?: string
}

export const encryptedFiles: Invariant = ({ files }) => {
  const rules = rulesOf(files)
  return files
    .filter(({ path }) => path.endsWith('.sops.yaml') && path !== '.sops.yaml')
    .flatMap(({ path, text }) => {
      const rule = rules.find(({ path_regex }) => new RegExp(path_regex).test(path))
      if (!rule) return [`${path}: no creation rule of .sops.yaml matches it`]
      const expected = (rule.age ?? '')
        .split(',')
        .map((recipient) => recipient.trim())
        .sort()
      return parseAllDocuments(text).flatMap((document) => {
        const { sops, ...rest } = (document.toJS() ?? {}) as { sops?: SopsMetadata; data?: object; stringData?: object }
        if (!sops?.mac) return [`${path}: is not encrypted`]
        const actual = (sops.age ?? []).map(({ recipient }) => recipient).sort()
        const plain = Object.values({ ...rest.data, ...rest.stringData }).filter(
          (value) => !String(value).startsWith('ENC['),
        )
        return [
          ...(actual.join() === expected.join()
            ? []
            : [`${path}: encrypted to ${actual.join(', ')}, not to ${expected.join(', ')}`]),
          ...(plain.length === 0 ? [] : [`${path}: ${plain.length} values in plain text`]),
        ]
      })
    })
}

/** A rule for each kind of secret file, each with a recipient: sops would otherwise take whatever key it finds. */
export const recipientsGiven: Invariant = ({ files }) => {
  const rules = rulesOf(files)
  if (rules.length === 0) return ['.sops.yaml: has no creation rules']
  return rules
    .filter(({ age }) => !/^age1[0-9a-z]{58}(,\s*age1[0-9a-z]{58})*$/.test(age ?? ''))
    .map(({ path_regex }) => `.sops.yaml: ${path_regex} has no age recipient`)
}

function rulesOf(files: SourceFile[]): SopsRule[] {
  const file = files.find(({ path }) => path === '.sops.yaml')
  return (parse(file?.text ?? '') as { creation_rules?: SopsRule[] } | null)?.creation_rules ?? []
}

const shapes: Record<string, RegExp> = {
  'an age key': /AGE-SECRET-KEY-1[0-9A-Z]{50,}/,
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'a GitHub token': /\b(ghp|gho|ghs|ghu|github_pat)_[A-Za-z0-9_]{20,}/,
  'a 1Password token': /\b(ops_|eyJ)[A-Za-z0-9+/=_-]{60,}/,
  'an AWS key': /\bAKIA[0-9A-Z]{16}\b/,
  'a Slack or Telegram token': /\bxox[abp]-[A-Za-z0-9-]{20,}|\b\d{8,10}:[A-Za-z0-9_-]{35}\b/,
  'a password':
    /^\s*(?:"?[\w-]*(?:password|passwd|secretKey|apiToken|clientSecret)"?)[ \t]*[:=][ \t]*["']?(?!\$|\{\{|op:|enc\[|["']|>|\||$)[^\s"'#{}]{8,}/im,
}

export const nothingLooksSecret: Invariant = ({ files }) =>
  files
    .filter((file) => isOperated(file) || /^(k8sops|\.sops)\.yaml$/.test(file.path))
    .filter(({ path }) => !path.endsWith('.sops.yaml') || path === '.sops.yaml')
    .flatMap(({ path, text }) =>
      Object.entries(shapes)
        .filter(([, shape]) => shape.test(text))
        .map(([what]) => `${path}: looks like ${what}`),
    )

/** SSH host keys are public. */
const publicFields = /^\s+known_hosts:/

/** A Secret in Git is encrypted, or is made in the cluster by External Secrets. bootstrap's templates hold references only. */
export const noPlainSecretObjects: Invariant = ({ files }) =>
  files
    .filter((file) => isOperated(file) && /\.ya?ml(\.tpl)?$/.test(file.path) && !file.path.endsWith('.sops.yaml'))
    .flatMap(({ path, text }) =>
      text.split(/^---$/m).flatMap((document) => {
        if (!/^kind: Secret$/m.test(document)) return []
        if (!path.endsWith('.tpl')) return [`${path}: a Secret that is not encrypted`]
        const values = [...document.matchAll(/^(?:data|stringData):\n((?:[ #].*\n?|\n)*)/gm)].flatMap(
          ([, block = '']) => block.split('\n'),
        )
        const plain = values.filter(
          (line) =>
            !publicFields.test(line) &&
            /^\s+[\w.-]+:\s*\S/.test(line) &&
            !/:\s*(["']?(\{\{ *)?op:\/\/|\||>)/.test(line),
        )
        return plain.map((line) => `${path}: ${line.trim()} is no 1Password reference`)
      }),
    )
