/** Files that sops encrypted: to whom, when, and whether everything in them is. Pure; no key is needed. */
import { dig, isFields, leaves, listAt, mapAt, textAt } from '../fields.ts'
import { layout } from '../layout.ts'
import { creationRules, type SopsRule } from '../rules/secrets.ts'
import { isEncrypted, type SourceFile } from '../source-files.ts'

export interface EncryptedFile {
  path: string
  /** Age recipients of its metadata, sorted. */
  recipients: string[]
  /** RFC 3339. */
  lastModified: string | undefined
  /** What is wrong with it, without a word of what is in it. */
  faults: SecretFault[]
}

export interface SecretFault {
  what: string
  detail: string
  /** 1-based. */
  line: number
}

/** The files that have to be encrypted: those that are called so, and those that a creation rule of .sops.yaml is about. */
export function encryptedFiles(files: readonly SourceFile[]): EncryptedFile[] {
  const rules = creationRules([...files])
  return files
    .filter((file) => file.path !== layout.sopsConfig && (isEncrypted(file) || ruleOf(file.path, rules)))
    .map((file) => encryptedFile(file, rules))
}

export const ruleOf = (path: string, rules: SopsRule[]): SopsRule | undefined =>
  rules.find(({ path_regex: pattern }) => new RegExp(pattern ?? '').test(path))

/** Keys of other kinds than age: whoever has one of them can read the file too. */
const otherKeys = ['kms', 'gcp_kms', 'azure_kv', 'hc_vault', 'hckms', 'pgp', 'key_groups']

function encryptedFile(file: SourceFile, rules: SopsRule[]): EncryptedFile {
  const faults: SecretFault[] = []
  const fault = (what: string, detail: string, text?: string) => {
    const at = text === undefined ? -1 : file.text.indexOf(text)
    faults.push({ what, detail, line: at < 0 ? 1 : file.text.slice(0, at).split('\n').length })
  }
  const rule = ruleOf(file.path, rules)
  if (!rule) fault('no-rule', 'no creation rule of .sops.yaml is about it')
  if (file.errors().length > 0) fault('unreadable', 'is no YAML')
  const documents = file.documents().filter(isFields)
  const encrypted = documents.filter((one) => textAt(one, 'sops.mac') !== undefined)
  if (documents.length === 0 || encrypted.length < documents.length)
    fault('plain', documents.length > 1 ? 'not every document of it is encrypted' : 'is not encrypted')
  const wanted = (rule?.age ?? '').split(',').flatMap((one) => one.trim() || [])
  const found = encrypted.flatMap((one) => listAt(one, 'sops.age').flatMap((key) => textAt(key, 'recipient') ?? []))
  const recipients = [...new Set(found)].toSorted()
  if (encrypted.length > 0 && rule) {
    for (const one of wanted.filter((recipient) => !recipients.includes(recipient)))
      fault('recipient-missing', `not encrypted to ${one}, which .sops.yaml names`, 'sops:')
    for (const one of recipients.filter((recipient) => !wanted.includes(recipient)))
      fault('recipient-foreign', `encrypted to ${one}, which .sops.yaml does not name`, one)
  }
  for (const one of encrypted) {
    for (const kind of otherKeys)
      if (listAt(one, `sops.${kind}`).length > 0) fault('recipient-foreign', `also encrypted with ${kind}`, `${kind}:`)
    for (const path of plainLeaves(one)) fault('plain', `${path.join('.')} is in plain text`, `${path.at(-1)}:`)
  }
  return { path: file.path, recipients, lastModified: textAt(encrypted[0], 'sops.lastmodified'), faults }
}

/** What sops was told to encrypt, and is not. Empty texts and nothing stay as they are. */
function plainLeaves(document: object): (string | number)[][] {
  const sops = mapAt(document, 'sops')
  const only = textAt(sops, 'encrypted_regex')
  const suffix = textAt(sops, 'encrypted_suffix')
  const not = textAt(sops, 'unencrypted_regex')
  const isMeant = (path: (string | number)[]) => {
    const keys = path.filter((key) => typeof key === 'string')
    if (only !== undefined) return keys.some((key) => new RegExp(only).test(key))
    if (suffix !== undefined) return keys.some((key) => key.endsWith(suffix))
    if (not !== undefined) return !keys.some((key) => new RegExp(not).test(key))
    return !keys.some((key) => key.endsWith(textAt(sops, 'unencrypted_suffix') ?? '_unencrypted'))
  }
  return leaves(document)
    .filter(({ path, value }) => path[0] !== 'sops' && isMeant(path) && value !== '' && value !== null)
    .filter(({ value }) => !(typeof value === 'string' && /^ENC\[AES256_GCM,data:/.test(value)))
    .map(({ path }) => path)
}

/** Whether the whole of a file's text was encrypted by sops, whichever its format. */
export const isSopsText = (file: SourceFile): boolean =>
  file.documents().some((one) => dig(one, 'sops.mac') !== undefined)
