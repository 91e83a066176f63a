/** Candidates for the word being typed. Must answer in milliseconds: reads directories, parses no YAML unless it has to. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Repository } from '../config/load.ts'
import { layout } from '../repo/layout.ts'
import { findCommand } from './argv.ts'
import type { CommandSpec, OptionSpec } from './define.ts'
import type { CommandEntry } from './registry.ts'
import { optionsOf, takesValue } from './shared-options.ts'

export interface CompletionContext {
  cwd: string
  loadRepository: (root: string) => Promise<Repository>
}

/** One `name<TAB>description` for each candidate that begins with the last of `words`. Never throws: a Tab that fails says nothing. */
export async function candidates(
  words: string[],
  entries: CommandEntry[],
  topics: Record<string, string>,
  context: CompletionContext,
): Promise<string[]> {
  // The scripts put `--` in front, so that a word like --help is not taken for ours.
  const line = words[0] === '--' ? words.slice(1) : words
  const typed = line.at(-1) ?? ''
  try {
    const all = await complete(line.slice(0, -1), typed, entries, topics, context)
    const unique = new Map<string, string>(all.filter(([name]) => name.startsWith(typed)))
    return [...unique].map(([name, about]) => (about ? `${name}\t${about}` : name))
  } catch {
    return []
  }
}

type Candidate = [name: string, about: string]

async function complete(
  before: string[],
  typed: string,
  entries: CommandEntry[],
  topics: Record<string, string>,
  context: CompletionContext,
): Promise<Candidate[]> {
  const { entry } = findCommand(before, entries)
  if (!entry) return nextWords(before, entries, topics)
  const spec = await entry.load()
  const options = optionsOf(spec)
  const open = optionOf(before.at(-1), options)
  if (open && takesValue(open)) return (await valuesOf(open, context)).map((value) => [value, ''])
  const given = /^(--[\w-]+)=/.exec(typed)
  if (given) {
    const option = optionOf(given[1], options)
    return option ? (await valuesOf(option, context)).map((value) => [`${given[1]}=${value}`, '']) : []
  }
  if (typed.startsWith('-')) return options.flatMap(namesOf)
  const position = positionals(before, options).length - entry.path.split(' ').length
  return (await argumentsOf(spec, position, context)).map((name) => [name, ''])
}

/** Commands and topics that can follow the words so far. */
function nextWords(before: string[], entries: CommandEntry[], topics: Record<string, string>): Candidate[] {
  const prefix = before
    .filter((word) => !word.startsWith('-'))
    .map((word) => `${word} `)
    .join('')
  return entries
    .filter(({ path, hidden }) => !hidden && path.startsWith(prefix))
    .map(({ path, summary }): Candidate => {
      const [word = '', ...deeper] = path.slice(prefix.length).split(' ')
      return [word, deeper.length === 0 ? summary : (topics[prefix + word] ?? '')]
    })
}

function optionOf(word: string | undefined, options: OptionSpec[]): OptionSpec | undefined {
  if (!word?.startsWith('-')) return undefined
  return options.find(({ flags }) => flags.split(/[ ,]+/).includes(word))
}

/** Only the long name is offered: it explains itself. */
function namesOf({ flags, description }: OptionSpec): Candidate[] {
  return (flags.match(/--[\w-]+/g) ?? []).map((name) => [name, description])
}

async function valuesOf(option: OptionSpec, context: CompletionContext): Promise<string[]> {
  if (option.choices) return option.choices
  if (option.flags.includes('--cluster')) return clusterNames(context)
  if (!option.complete) return []
  const repository = await loadHere(context)
  return repository ? option.complete(repository) : []
}

async function argumentsOf(spec: CommandSpec, position: number, context: CompletionContext): Promise<string[]> {
  const names = Object.keys(spec.args ?? {})
  const name = (names[position] ?? names.find((one) => one.includes('...')))?.replace(/[.?]+$/, '')
  const complete = name === undefined ? undefined : spec.completeArgs?.[name]
  if (!complete) return []
  return complete({ root: findRoot(context.cwd), repository: () => loadHere(context) })
}

/** A cluster is a directory: that is enough to name it. */
function clusterNames(context: CompletionContext): string[] {
  const root = findRoot(context.cwd)
  if (root === undefined) return []
  return readdirSync(join(root, layout.clusters), { withFileTypes: true })
    .filter((item) => item.isDirectory())
    .map(({ name }) => name)
}

async function loadHere(context: CompletionContext): Promise<Repository | undefined> {
  const root = findRoot(context.cwd)
  return root === undefined ? undefined : context.loadRepository(root)
}

/** Upwards to k8sops.yaml. config/load.ts has the same, but brings the YAML parser and all rules with it. */
function findRoot(from: string): string | undefined {
  if (existsSync(join(from, layout.repositoryFile))) return from
  return dirname(from) === from ? undefined : findRoot(dirname(from))
}

function positionals(words: string[], options: OptionSpec[]): string[] {
  const found: string[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!
    if (!word.startsWith('-')) found.push(word)
    else if (!word.includes('=')) {
      const option = optionOf(word, options)
      if (option && takesValue(option)) index += 1
    }
  }
  return found
}
