/** Answers about a new cluster: from a file, above it from the command line, and what is still missing from whoever sits at the terminal. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { ZodObject } from 'zod'
import { type CommandContext, type OptionSpec, textOption } from '../../lib/cli/define.ts'
import type { YamlFile, YamlPath } from '../../lib/config/document.ts'
import type { Issue } from '../../lib/config/schema.ts'
import { ConfigError, UsageError } from '../../lib/errors.ts'
import type { Problem } from '../../lib/types.ts'

export const answerOptions: OptionSpec[] = [
  { flags: '--answers <file>', description: 'YAML with the same words as keys; what is given here goes above it' },
  { flags: '--cidr <network>', description: 'of the nodes' },
  { flags: '--pods <network>', description: 'of the pods' },
  { flags: '--services <network>', description: 'of the Services' },
  { flags: '--lb-pool <network>', description: 'that the load balancer gives out' },
  { flags: '--vlan <id>', description: 'VLAN of the nodes' },
  { flags: '--vip <address>', description: 'of the API (default: its place in the network of the nodes)' },
  { flags: '--gateway <address>', description: 'of the nodes (default: its place in their network)' },
  { flags: '--domain <domain>', description: 'of its hosts' },
  { flags: '--asn <number>', description: 'its autonomous system (BGP)' },
  { flags: '--id <number>', description: "Cilium's id of it (default: the next free one)" },
]

const numbers = ['vlan', 'asn', 'id']

export interface Given {
  /** By key. */
  values: Record<string, unknown>
  /** Names the place of an answer: `answers.yaml:3`, `--cidr`. */
  where: (answer: YamlPath) => string
  /** Throws one error with all of them, if there are any. */
  refuse: (issues: Issue[], others?: Problem[]) => void
}

/**
 * @param keys every answer that is an option
 * @param command as it is typed
 * @throws ConfigError when the file can't be read, with each line
 */
export async function givenAnswers(context: CommandContext, keys: string[], command: string): Promise<Given> {
  const path = textOption(context.options.answers)
  const file = path === undefined ? undefined : await readAnswersFile(context.cwd, path)
  const flags: Record<string, unknown> = {}
  for (const key of keys) {
    const value = context.options[key]
    const text = textOption(value)
    if (Array.isArray(value) && value.length > 0) flags[key] = value
    if (text !== undefined) flags[key] = numbers.includes(key) && /^\d+$/.test(text) ? Number(text) : text
  }
  const isFlag = ([key]: YamlPath) => file === undefined || (typeof key === 'string' && key in flags)
  const where = (answer: YamlPath) =>
    isFlag(answer) || !file ? `--${flagOf(answer)}` : `${file.path}:${file.lineOf(answer)}`
  const values = { ...((file?.data ?? {}) as Record<string, unknown>), ...flags }
  return {
    values,
    where,
    refuse: (issues, others = []) => {
      const said = issues.filter(({ path: answer }) => isFlag(answer)).map((issue) => flagText(issue, values, keys))
      const inFile = issues
        .filter(({ path: answer }) => !isFlag(answer))
        .flatMap((issue) => (file ? [problemOf(issue, file)] : []))
        .sort((a, b) => a.line - b.line)
      const problems = [...inFile, ...others]
      if (said.length + problems.length === 0) return
      const next = `k8sops ${command} --help`
      if (problems.length === 0) throw new UsageError(said.join('; '), { next })
      const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
      throw new ConfigError([`${count} in what was answered; nothing was written`, ...said].join('; '), problems, {
        next,
      })
    },
  }
}

async function readAnswersFile(cwd: string, path: string): Promise<YamlFile> {
  const { parseYaml } = await import('../../lib/config/document.ts')
  const text = await readFile(resolve(cwd, path), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`--answers ${path}: ${cause.code === 'ENOENT' ? 'there is no such file' : cause.message}`)
  })
  const problems: Problem[] = []
  const file = parseYaml(text, path, problems)
  if (file && (typeof file.data !== 'object' || file.data === null || Array.isArray(file.data)))
    problems.push({ file: path, line: 1, message: 'must be a mapping of answers, like `vlan: 2512`' })
  if (!file || problems.length > 0) throw new ConfigError('the answers can not be read; nothing was written', problems)
  return file
}

const flagOf = ([key]: YamlPath) => String(key).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

function flagText({ path, message }: Issue, values: Record<string, unknown>, options: string[]): string {
  const value = values[String(path[0])]
  if (!options.includes(String(path[0]))) return message
  if (value === undefined) return `--${flagOf(path)} ${message}`
  const shown = Array.isArray(value) && typeof path[1] === 'number' ? value[path[1]] : value
  return `--${flagOf(path)} ${shown}: ${message}`
}

function problemOf({ path, message }: Issue, file: YamlFile): Problem {
  const key = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .slice(1)
  return { file: file.path, line: file.lineOf(path), message: `${key}: ${message}` }
}

const attempts = 3

/**
 * Asks for each of these on the terminal, if there is one, and again when the answer can't be one.
 * @param options whose descriptions are the questions
 * @param examples by key
 * @returns what was answered
 */
export async function askMissing(
  context: CommandContext,
  schema: ZodObject,
  keys: readonly string[],
  options: OptionSpec[],
  examples: Record<string, string | undefined>,
): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  if (!context.ask || keys.length === 0) return answers
  const { readAnswers } = await import('../../lib/repo/cluster-answers.ts')
  for (const key of keys) {
    const { description = '' } = options.find(({ flags }) => flags.startsWith(`--${flagOf([key])} `)) ?? {}
    const example = examples[key] === undefined ? '' : ` (like ${examples[key]})`
    for (let attempt = 0; attempt < attempts && !(key in answers); attempt += 1) {
      const typed = await context.ask(`${flagOf([key])}, ${description}${example}:`)
      if (typed === undefined) return answers
      const value = numbers.includes(key) && /^\d+$/.test(typed) ? Number(typed) : typed
      const { issues } = readAnswers(schema, { [key]: value })
      if (issues.length === 0) answers[key] = value
      else for (const { message } of issues) context.note(`  ${message}`)
    }
  }
  return answers
}
