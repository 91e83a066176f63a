/** Edits of cluster-settings.yaml as text: comments, order and alignment stay as they are. */
import { parseDocument } from 'yaml'
import { ConfigError } from '../errors.ts'

/**
 * The file with one setting more, at its end, or with another value of one that it has.
 * @throws ConfigError when it is no ConfigMap with data
 */
export function withSetting(text: string, name: string, value: string): string {
  const document = parseDocument(text)
  if (document.errors[0]) throw new ConfigError(`cluster-settings.yaml: ${document.errors[0].message}`)
  const data = document.toJS()?.data as Record<string, unknown> | undefined
  if (typeof data !== 'object' || data === null) throw new ConfigError('cluster-settings.yaml has no data')
  const line = `  ${name}: ${value}`
  if (!(name in data)) return `${text.replace(/\n*$/, '\n')}${line}\n`
  return text.replace(new RegExp(`^  ${name}:[^#\\n]*?(\\s*#.*)?$`, 'm'), (_, comment = '') => `${line}${comment}`)
}
