/** Secrets that anybody can read, in text of any kind. Pure: what is found is told by its kind and line, never by itself. */
import { listAt, mapAt } from '../fields.ts'
import { shapes } from '../rules/secrets.ts'
import { declaredIn, sourceFile } from '../source-files.ts'

export interface Readable {
  what: string
  line: number
}

/** Told with near certainty wherever they stand; a password is told by the word in front of it, in manifests only. */
const told: Record<string, RegExp> = {
  ...shapes,
  // With something between its lines: the first of them alone stands in many a text about keys.
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(?:\\n)?\s*[A-Za-z0-9+/=]{24,}/,
}
const certain = Object.entries(told).filter(([what]) => what !== 'a password')
const inManifests = /^(kubernetes|talos|bootstrap)\/.*\.ya?ml(\.tpl)?$|^(k8sops|\.sops)\.yaml$/

/** A quick look at whether it can be worth a closer one: most files are neither. */
const perhaps =
  /AGE-SECRET-KEY-1|PRIVATE KEY-----|gh[pousr]_|github_pat_|ops_|eyJ|AKIA|xox[abp]-|\d{8,10}:|kind: Secret|password|passwd|secretKey|apiToken|clientSecret/i

/** Private keys and tokens, passwords in manifests, and Secrets that are not encrypted. */
export function readableSecrets(path: string, text: string): Readable[] {
  if (!perhaps.test(text) || /^sops:$/m.test(text)) return []
  const lineAt = (index: number) => text.slice(0, index).split('\n').length
  const looked = inManifests.test(path) ? Object.entries(told) : certain
  const found = looked.flatMap(([what, shape]): Readable[] => {
    const match = shape.exec(text)
    return match ? [{ what, line: lineAt(match.index + match[0].length - match[0].trimStart().length) }] : []
  })
  return [...found, ...(inManifests.test(path) && !path.endsWith('.tpl') ? plainSecrets(path, text) : [])]
}

function plainSecrets(path: string, text: string): Readable[] {
  const file = sourceFile(path, text)
  const secrets = declaredIn(file).filter(({ kind, apiVersion }) => kind === 'Secret' && apiVersion === 'v1')
  return secrets.flatMap(({ text: document }) => {
    const [one] = sourceFile(path, document).documents()
    const values = Object.values({ ...mapAt(one, 'data'), ...mapAt(one, 'stringData') })
    const isFilledIn = values.every((value) => /^(\$\{\w+\}|(\{\{ *)?op:\/\/.+?( *\}\})?)$/.test(String(value).trim()))
    if (values.length === 0 || isFilledIn || listAt(one, 'sops.age').length > 0) return []
    return [{ what: 'a Secret that is not encrypted', line: text.slice(0, text.indexOf(document)).split('\n').length }]
  })
}
