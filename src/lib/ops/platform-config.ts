/** A connection's settings as a file that a program reads. Secrets stand in it only when their values were looked up. */
import type { Connection, SecretReference, Setting } from './platform-connection.ts'

export const configFormats = ['spring', 'properties', 'env'] as const
export type ConfigFormat = (typeof configFormats)[number]

/** Values of secrets by `namespace/name key`; what is missing stays a reference to the environment. */
export type SecretValues = ReadonlyMap<string, string>

export const secretKey = ({ namespace, name, key }: SecretReference): string => `${namespace}/${name} ${key}`

const isReference = (value: Setting['value']): value is SecretReference => typeof value !== 'string'

/** Every Secret that a connection takes from. */
export const secretsOf = ({ settings }: Connection): SecretReference[] =>
  settings.map(({ value }) => value).filter(isReference)

export function renderConfig(connection: Connection, format: ConfigFormat, secrets: SecretValues): string {
  const comment = (text: string) => `# ${text}`
  const head = [
    comment(connection.object),
    ...connection.addresses.map(({ what, address }) => comment(`${what}: ${address}`)),
    ...connection.notes.map(comment),
    ...secretsOf(connection)
      .filter((reference) => !secrets.has(secretKey(reference)))
      .map(({ namespace, name, key }) => comment(`Secret ${namespace}/${name}, key ${key}: --show-secrets prints it`)),
  ]
  return `${[...head, ...bodyOf(connection, format, secrets)].join('\n')}\n`
}

function bodyOf({ settings }: Connection, format: ConfigFormat, secrets: SecretValues): string[] {
  const textOf = ({ value, env }: Setting) =>
    isReference(value) ? (secrets.get(secretKey(value)) ?? `\${${env}}`) : value
  // What is not shown comes from the environment in every format: the file can be kept as it is.
  switch (format) {
    case 'env':
      return settings.map((one) =>
        isReference(one.value) && !secrets.has(secretKey(one.value))
          ? `# ${one.env}=`
          : `${one.env}=${quoted(textOf(one))}`,
      )
    case 'properties':
      return settings.map((one) => `${one.spring}=${textOf(one).replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
    case 'spring':
      return yamlLines(treeOf(settings.map((one) => [one.spring, textOf(one)])), '')
  }
}

/** For a shell and for docker's --env-file alike where nothing needs quotes. */
const quoted = (text: string) => (/^[\w.:/@,?=&%+-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

interface Tree {
  [key: string]: Tree | string
}

/**
 * Nested as people write it. Below `properties` a key is Kafka's own and has dots: it stays whole, because it may be the beginning of
 * another one.
 */
function treeOf(settings: [string, string][]): Tree {
  const root: Tree = {}
  for (const [path, value] of settings) {
    const [above = '', below] = path.split('.properties.')
    const keys = below === undefined ? above.split('.') : [...above.split('.'), 'properties', below]
    const last = keys.pop() ?? ''
    const parent = keys.reduce((node, key) => {
      const child = node[key]
      if (typeof child === 'object') return child
      const made: Tree = {}
      node[key] = made
      return made
    }, root)
    parent[last] = value
  }
  return root
}

function yamlLines(tree: Tree, indent: string): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    if (typeof value === 'string') return [`${indent}${key}: ${JSON.stringify(value)}`]
    return [`${indent}${key}:`, ...yamlLines(value, `${indent}  `)]
  })
}
