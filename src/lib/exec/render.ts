/** The one place that writes a Command as a line for a POSIX shell: plan, log, journal and errors all show this. */
import type { Check, Command } from '../types.ts'

/** `a | b`, with environment and quoting, to be pasted in the target's root. secretEnv shows as `NAME="$(op read REF)"`. */
export function shellLine(pipeline: Command[]): string {
  return pipeline.map(commandLine).join(' | ')
}

function commandLine(command: Command): string {
  const plain = Object.entries(command.env ?? {}).map(([name, value]) => `${name}=${quote(value)}`)
  const secret = Object.entries(command.secretEnv ?? {}).map(([name, ref]) => `${name}="$(op read ${quote(ref)})"`)
  return [...plain, ...secret, command.tool, ...command.args.map(quote)].join(' ')
}

/** As it stands when no shell would touch it, else in single quotes. An unquoted leading `~` would expand; so would `=` in zsh. */
export function quote(word: string): string {
  if (/^[\w@%+:,./-][\w@%+:,./=-]*$/.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** `node-ready node=apps-cp1`, for plans and errors alike. */
export function describeCheck({ gate, params, stableSec }: Check): string {
  const given = Object.entries(params ?? {}).map(([name, value]) => `${name}=${shortList(value)}`)
  return [gate, ...given, ...(stableSec === undefined ? [] : [`for ${stableSec} s`])].join(' ')
}

/** A list of more than a dozen names is cut: the whole of it is in the plan's JSON, and what is missing in the verdict. */
function shortList(text: string): string {
  const names = text.split(',')
  return names.length > 12 ? `${names.slice(0, 3).join(',')},… (${names.length})` : text
}
