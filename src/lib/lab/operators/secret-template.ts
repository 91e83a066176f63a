/** As much of External Secrets' templating as throw-away values need: each action is replaced by the field it names. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const action = /\{\{-?\s*([^}]*?)\s*-?\}\}/g
/** `.FIELD`, or `index . "field"` for a name that is no identifier. */
const fieldOf = (expression: string) =>
  /index \. "([^"]+)"/.exec(expression)?.[1] ?? /\.([A-Za-z_]\w*)/.exec(expression)?.[1]

/** Of a pipeline; others (`toString`) leave a value as it is. */
const functions = new Map<string, (value: string) => string>([
  ['b64dec', (value) => Buffer.from(value, 'base64').toString('utf8')],
  ['b64enc', (value) => Buffer.from(value).toString('base64')],
])

/** Renders `target.template.data`. An action that names no field becomes nothing. */
export function renderTemplate(
  template: Record<string, string>,
  values: Record<string, string>,
): Record<string, string> {
  const render = (text: string) =>
    text.replace(action, (_, expression: string) => {
      const field = fieldOf(expression)
      const value = field === undefined ? '' : (values[field] ?? '')
      const [, ...pipeline] = expression.split('|').map((part) => part.trim())
      return pipeline.reduce((piped, name) => functions.get(name)?.(piped) ?? piped, value)
    })
  return Object.fromEntries(Object.entries(template).map(([key, text]) => [key, render(text)]))
}

/**
 * The fields of a 1Password item: those that a template reads, else those that docs/prerequisites.md lists for it.
 * Throws when neither knows any, because a Secret without keys would look like a success.
 */
export async function fieldsOfItem(
  root: string,
  item: string,
  template: Record<string, string> = {},
): Promise<string[]> {
  const read = Object.values(template).flatMap((text) =>
    [...text.matchAll(action)].flatMap(([, expression = '']) => fieldOf(expression) ?? []),
  )
  if (read.length > 0) return [...new Set(read)]
  const text = await readFile(join(root, 'docs/prerequisites.md'), 'utf8').catch(() => '')
  const listed = documentedFields(text, item)
  if (listed.length > 0) return listed
  throw new Error(`the lab doesn't know the fields of item ${item}: list them in docs/prerequisites.md`)
}

/** Rows `| vault | item | field ... |`; an empty item means the one above, several fields are separated by commas. */
export function documentedFields(markdown: string, item: string): string[] {
  const fields: string[] = []
  let current = ''
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) {
      current = ''
      continue
    }
    const [, named = '', listed = ''] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim().replaceAll('`', ''))
    current = named || current
    if (current === item)
      fields.push(
        ...listed
          .split(',')
          .map((field) => field.trim())
          .filter(Boolean),
      )
  }
  return fields
}
