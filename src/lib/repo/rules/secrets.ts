/** Secrets are encrypted to the recipients of .sops.yaml, and nothing else looks like one. */
import { dig, listAt, mapAt, textAt } from '../fields.ts'
import { layout } from '../layout.ts'
import type { Finding } from '../locate.ts'
import { declaredIn, isEncrypted, isOperated, type SourceFile } from '../source-files.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind } from './view.ts'

export const secretRules: Rule[] = [
  {
    id: 'sops-encrypted',
    demands: 'Every *.sops.yaml is encrypted to exactly the recipients that .sops.yaml names for it',
    why: 'A file encrypted to another key cannot be decrypted by the cluster, or can be by somebody who should not',
    fix: 'sops updatekeys FILE, or sops encrypt -i FILE',
    source: 'NFR8',
    scope: 'any',
    looksAt: 'itself',
    check: ({ files, judged }) => {
      const rules = creationRules(files)
      return judged
        .filter((file) => isEncrypted(file) && file.path !== layout.sopsConfig)
        .flatMap((file) => encryption(file, rules))
    },
  },
  {
    id: 'sops-recipients',
    demands: 'Each creation rule of .sops.yaml has an age recipient, and one for manifests encrypts data only',
    why: 'Without a recipient sops takes whatever key it finds; kustomize-controller needs apiVersion, kind and metadata in clear',
    fix: 'Give the rule `age:` and, for kubernetes/, encrypted_regex: ^(data|stringData)$',
    source: 'NFR8, NFR13',
    scope: 'any',
    looksAt: 'itself',
    check: ({ files }) => {
      const rules = creationRules(files)
      const file = layout.sopsConfig
      if (!files.some(({ path }) => path === file)) return []
      if (rules.length === 0) return [{ file, line: 1, message: 'has no creation rules' }]
      return rules.flatMap(({ path_regex: pattern = '', age = '', encrypted_regex: part }) => [
        ...(/^age1[0-9a-z]{58}(,\s*age1[0-9a-z]{58})*$/.test(age)
          ? []
          : [{ file, text: pattern, message: `${pattern} has no age recipient` }]),
        ...(/kubernetes/.test(pattern) && part !== '^(data|stringData)$'
          ? [{ file, text: pattern, message: `${pattern} has no encrypted_regex: ^(data|stringData)$` }]
          : []),
      ])
    },
  },
  {
    id: 'nothing-looks-secret',
    demands: 'Nothing outside *.sops.yaml looks like a key, a token or a password',
    why: 'What was pushed once has to be taken for known',
    fix: 'Put it into 1Password, refer to it (op://, ExternalSecret), and replace the secret itself',
    source: 'NFR8',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter((file) => isOperated(file) || /^(k8sops|\.sops)\.yaml$/.test(file.path))
        .filter((file) => !isEncrypted(file) || file.path === layout.sopsConfig)
        .flatMap(({ path, text }) =>
          Object.entries(shapes).flatMap(([what, shape]) => {
            const match = shape.exec(text)
            if (!match) return []
            const found = match.index + (match[0].length - match[0].trimStart().length)
            return [{ file: path, line: text.slice(0, found).split('\n').length, message: `looks like ${what}` }]
          }),
        ),
  },
  {
    id: 'no-plain-secret',
    demands: 'A Secret in Git is encrypted; templates of bootstrap/ hold 1Password references only',
    why: 'base64 is no encryption',
    fix: 'Make an ExternalSecret of it, or encrypt it with sops',
    source: 'NFR8',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged
        .filter((file) => isOperated(file) && /\.ya?ml(\.tpl)?$/.test(file.path) && !isEncrypted(file))
        .flatMap((file) => {
          const secrets = declaredIn(file).filter(({ kind }) => kind === 'Secret')
          const parsed = file.documents().filter((one) => dig(one, 'kind') === 'Secret')
          return secrets.flatMap(({ text }, index) => plain(file, text, parsed[index]))
        }),
  },
  {
    id: 'secret-item-documented',
    demands:
      'Items and fields of 1Password that an ExternalSecret reads stand in docs/prerequisites.md, or in a runbook',
    why: 'Whoever sets up a cluster makes what is written there; an item that is not waits for somebody to guess it',
    fix: 'A row `| vault | item | `field` | ... |`, or the item and field that the table has',
    source: 'FR52, docs/prerequisites.md',
    scope: 'house',
    looksAt: 'itself',
    check: (view) => each((cluster) => undocumented(cluster, view.files))(view),
  },
]

/** Of tables `vault | item | fields`, in which a cell that is empty is that of the row above; of runbooks also what they say in prose. */
function documentedItems(files: readonly SourceFile[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const add = (item: string, text: string) => {
    const words = [...text.matchAll(/`([\w.-]+)`/g)].map(([, word = '']) => word)
    found.set(item, new Set([...(found.get(item) ?? []), ...words]))
  }
  for (const { path, text } of files) {
    if (path !== layout.prerequisites && !path.startsWith(`${layout.runbooks}/`)) continue
    let item = ''
    for (const line of text.split('\n')) {
      const [, vault, name, fields] = /^\|([^|]*)\|([^|]*)\|([^|]*)\|/.exec(line)?.map((cell) => cell.trim()) ?? []
      if (vault === undefined || name === undefined || fields === undefined) {
        item = ''
        continue
      }
      // `the name in ALERT_RECEIVER (`telegram`)`; the item of an application is called as the application.
      if (name !== '') item = /`([\w.-]+)`/.exec(name)?.[1] ?? (/^an? .*name$/.test(name) ? '*' : name)
      add(item, fields)
    }
    for (const paragraph of text.split(/\n\s*\n/))
      for (const [, named = ''] of paragraph.matchAll(/\bitems? `([\w.-]+)`/g)) add(named, paragraph)
  }
  return found
}

function undocumented(cluster: ClusterView, files: readonly SourceFile[]): Finding[] {
  const items = documentedItems(files)
  if (items.size === 0) return []
  return ofKind(cluster, 'ExternalSecret').flatMap((one) => {
    const parts = [
      ...listAt(one.object(), 'spec.data').map((data, index) => ({
        path: ['spec', 'data', index, 'remoteRef'],
        item: textAt(data, 'remoteRef.key'),
        field: textAt(data, 'remoteRef.property') ?? 'password',
      })),
      ...listAt(one.object(), 'spec.dataFrom').map((data, index) => ({
        path: ['spec', 'dataFrom', index],
        item: textAt(data, 'extract.key'),
        field: textAt(data, 'extract.property'),
      })),
    ]
    return parts.flatMap(({ path, item, field }) => {
      if (item === undefined) return []
      const fields = new Set([...(items.get(item) ?? []), ...(items.get('*') ?? [])])
      const isKnown = field === undefined ? items.has(item) : fields.has(field)
      if (isKnown) return []
      const what = field === undefined ? `item ${item}` : `field ${field} of item ${item}`
      return [about(one, `${what} is in no table of ${layout.prerequisites} or a runbook`, path)]
    })
  })
}

export interface SopsRule {
  path_regex?: string
  age?: string
  encrypted_regex?: string
}

export function creationRules(files: SourceFile[]): SopsRule[] {
  const file = files.find(({ path }) => path === layout.sopsConfig)
  return listAt(file?.documents()[0], 'creation_rules') as unknown as SopsRule[]
}

const sorted = (recipients: string[]) =>
  recipients
    .map((one) => one.trim())
    .sort()
    .join(', ')

function encryption(file: SourceFile, rules: SopsRule[]): Finding[] {
  const rule = rules.find(({ path_regex: pattern }) => new RegExp(pattern ?? '').test(file.path))
  const finding = (message: string, text = 'sops:'): Finding => ({ file: file.path, text, message })
  if (!rule) return [finding('no creation rule of .sops.yaml matches it')]
  return file.documents().flatMap((document) => {
    if (textAt(document, 'sops.mac') === undefined) return [finding('is not encrypted', 'kind:')]
    const expected = sorted((rule.age ?? '').split(','))
    const actual = sorted(listAt(document, 'sops.age').map((one) => textAt(one, 'recipient') ?? ''))
    const values = { ...mapAt(document, 'data'), ...mapAt(document, 'stringData') }
    const inClear = Object.entries(values).filter(([, value]) => !String(value).startsWith('ENC['))
    return [
      ...(actual === expected ? [] : [finding(`encrypted to ${actual || 'nobody'}, not to ${expected}`, 'recipient:')]),
      ...inClear.map(([key]) => ({
        file: file.path,
        path: [dig(document, ['data', key]) === undefined ? 'stringData' : 'data', key],
        message: `${key} is in plain text`,
      })),
    ]
  })
}

/** What secrets look like, by what they are. */
export const shapes: Record<string, RegExp> = {
  'an age key': /AGE-SECRET-KEY-1[0-9A-Z]{50,}/,
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'a GitHub token': /\b(ghp|gho|ghs|ghu|github_pat)_[A-Za-z0-9_]{20,}/,
  'a 1Password token': /\b(ops_|eyJ)[A-Za-z0-9+/=_-]{60,}/,
  'an AWS key': /\bAKIA[0-9A-Z]{16}\b/,
  'a Slack or Telegram token': /\bxox[abp]-[A-Za-z0-9-]{20,}|\b\d{8,10}:[A-Za-z0-9_-]{35}\b/,
  'a password':
    /^\s*(?:"?[\w-]*(?:password|passwd|secretKey|apiToken|clientSecret)"?)[ \t]*[:=][ \t]*["']?(?!\$|\{\{|op:|enc\[|["']|[>|&*]|$|(?-i:[A-Z0-9]+(?:_[A-Z0-9]+)+\s*$))[^\s"'#{}]{8,}/im,
}

/** SSH host keys are public. */
const publicFields = /^\s+known_hosts:/

/** @param parsed none of a document that is no YAML: then what it holds is not known to be harmless */
function plain(file: SourceFile, text: string, parsed: unknown): Finding[] {
  if (!file.path.endsWith('.tpl')) {
    const values = Object.values({ ...mapAt(parsed, 'data'), ...mapAt(parsed, 'stringData') }).map(String)
    // Kubernetes fills in the token; a Secret whose values are all filled in later says nothing either.
    if (
      parsed !== undefined &&
      values.length === 0 &&
      /^type:\s*["']?kubernetes\.io\/service-account-token\b/m.test(text)
    )
      return []
    if (values.length > 0 && values.every((value) => /^(\$\{\w+\}|(\{\{ *)?op:\/\/.+?( *\}\})?)$/.test(value.trim())))
      return []
    const before = file.text.slice(0, file.text.indexOf(text) + text.search(/^["']?kind\b/m))
    return [{ file: file.path, line: before.split('\n').length, message: 'a Secret that is not encrypted' }]
  }
  const blocks = [...text.matchAll(/^(?:data|stringData):\n((?:[ #].*\n?|\n)*)/gm)].map(([, block = '']) => block)
  return blocks
    .flatMap((block) => block.split('\n'))
    .filter((line) => !publicFields.test(line) && /^\s+[\w.-]+:\s*\S/.test(line))
    .filter((line) => !/:\s*(["']?(\{\{ *)?op:\/\/|\||>)/.test(line))
    .map((line) => ({ file: file.path, text: line, message: `${line.trim().split(':')[0]} is no 1Password reference` }))
}
