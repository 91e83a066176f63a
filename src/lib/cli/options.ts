/** Options on commander, and the environment variable that every option has. */
import { type Command, Option } from 'commander'
import { UsageError } from '../errors.ts'
import type { OptionSpec, OptionValue } from './define.ts'
import { environmentName, takesValue } from './shared-options.ts'

export function addOptions(command: Command, options: OptionSpec[]): void {
  for (const spec of options) {
    const option = new Option(spec.flags, spec.description)
    // A switch is off unless it is given; commander would print "(default: false)" behind each of them.
    if (spec.default !== undefined && spec.default !== false) option.default(spec.default)
    if (spec.choices) option.choices(spec.choices)
    command.addOption(option)
  }
}

export type OptionValues = Record<string, OptionValue>

/** Values by camelCase name: the command line, then K8SOPS_*, then the default. Throws UsageError for a bad value. */
export function optionValues(command: Command, specs: OptionSpec[], env: NodeJS.ProcessEnv): OptionValues {
  const values: OptionValues = { ...command.opts() }
  for (const spec of specs) {
    const option = command.options.find(({ flags }) => flags === spec.flags)
    const variable = environmentName(spec)
    const text = env[variable]
    if (!option) continue
    const name = option.attributeName()
    if (spec.default === false) values[name] ??= false
    if (text === undefined || text === '' || command.getOptionValueSource(name) === 'cli') continue
    values[name] = fromEnvironment(spec, variable, text)
  }
  return values
}

function fromEnvironment(spec: OptionSpec, variable: string, text: string): string | boolean | string[] {
  if (!takesValue(spec)) {
    const on = readBoolean(variable, text)
    return spec.flags.includes('--no-') ? !on : on
  }
  if (/\.\.\.[>\]]/.test(spec.flags)) return text.split(',')
  if (spec.choices && !spec.choices.includes(text))
    throw new UsageError(`${variable}=${text}: expected one of ${spec.choices.join(', ')}`)
  return text
}

function readBoolean(variable: string, text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw new UsageError(`${variable}=${text}: expected true or false`)
}
