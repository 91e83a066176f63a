/** kubernetes/apps/components: opt-in pieces for applications, described by their own files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { listAt, mapAt, textAt } from './fields.ts'
import { layout } from './layout.ts'
import { parse } from './yaml.ts'

export interface ComponentVariable {
  name: string
  /** What stands there when nothing is given; undefined when it has to be given. */
  fallback: string | undefined
  /** It comes from the cluster's settings, unless an application says otherwise. */
  fromSettings: boolean
}

export interface ComponentUser {
  /** Name of the Flux Kustomization. */
  name: string
  file: string
  substitute: Record<string, string>
}

export interface LibraryComponent {
  /** Its path below kubernetes/apps/components, `netpol/internet`. */
  name: string
  directory: string
  /** The comment at the head of its kustomization.yaml. */
  about: string
  /** Kinds that it makes. */
  kinds: string[]
  variables: ComponentVariable[]
  users: ComponentUser[]
}

/** @param settings names that every cluster's settings have */
export function readComponents(root: string, settings: ReadonlySet<string>): LibraryComponent[] {
  const users = readUsers(root)
  return filesBelow(root, layout.components, 'kustomization.yaml').map((file) => {
    const directory = posix.dirname(file)
    const text = readFileSync(join(root, file), 'utf8')
    // A file that it names and that is not there is for `validate` to tell: here everything is shown that can be.
    const read = (name: string) => {
      const path = join(root, directory, name)
      return existsSync(path) ? readFileSync(path, 'utf8') : ''
    }
    const kustomization = parse(text)
    const made = listAt(kustomization, 'resources').map((name) => read(String(name)))
    const patched = listAt(kustomization, 'patches').flatMap((patch) => {
      const path = textAt(patch, 'path')
      return path === undefined ? [] : [read(path)]
    })
    return {
      name: posix.relative(layout.components, directory),
      directory,
      about: headOf(text),
      kinds: [...new Set([...made.join('\n').matchAll(/^kind: (\S+)/gm)].map(([, kind = '']) => kind))].sort(),
      variables: variablesOf([text, ...made, ...patched].join('\n'), settings),
      users: users.get(directory) ?? [],
    }
  })
}

/** What an application's ks.yaml says to have it, as the first one says it that has it. */
export function exampleOf({ name, variables, users }: LibraryComponent): string | undefined {
  const user = users[0]
  if (!user) return undefined
  const own = variables.flatMap(({ name }) => {
    const value = user.substitute[name]
    return value === undefined ? [] : [`      ${name}: ${JSON.stringify(value)}`]
  })
  const up = posix.relative(posix.dirname(`${posix.dirname(user.file)}/app/kustomization.yaml`), layout.components)
  const substitute = own.length === 0 ? [] : ['  postBuild:', '    substitute:', ...own]
  return [`# ${user.file}`, 'spec:', '  components:', `    - ${up}/${name}`, ...substitute].join('\n')
}

/** Comments before the first field, without the line for editors. */
function headOf(text: string): string {
  const head = text.split('\n').slice(
    0,
    text.split('\n').findIndex((line) => !line.startsWith('#')),
  )
  return head
    .filter((line) => !line.startsWith('# yaml-language-server'))
    .map((line) => line.slice(2))
    .join(' ')
}

/** `$${NAME}` stays as `${NAME}` and is none. */
function variablesOf(text: string, settings: ReadonlySet<string>): ComponentVariable[] {
  const found = new Map<string, string | undefined>()
  for (const [, name = '', fallback] of text.matchAll(/(?<!\$)\$\{(\w+)(?::?[=-]([^}]*))?\}/g))
    found.set(name, found.get(name) ?? fallback)
  return [...found]
    .map(([name, fallback]) => ({ name, fallback, fromSettings: settings.has(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** By the component's directory. */
function readUsers(root: string): Map<string, ComponentUser[]> {
  const users = new Map<string, ComponentUser[]>()
  for (const file of filesBelow(root, layout.kubernetes, 'ks.yaml')) {
    const text = readFileSync(join(root, file), 'utf8')
    if (!text.includes('components:')) continue
    const kustomization = parse(text)
    const substitute = Object.entries(mapAt(kustomization, 'spec.postBuild.substitute'))
    for (const component of listAt(kustomization, 'spec.components')) {
      const directory = posix.normalize(posix.join(textAt(kustomization, 'spec.path') ?? '', String(component)))
      const user = {
        name: textAt(kustomization, 'metadata.name') ?? '',
        file,
        substitute: Object.fromEntries(substitute.map(([name, value]) => [name, String(value)])),
      }
      users.set(directory, [...(users.get(directory) ?? []), user])
    }
  }
  return users
}

const filesBelow = (root: string, directory: string, name: string): string[] =>
  readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(`/${name}`))
    .map((file) => posix.join(directory, file))
    .sort()
