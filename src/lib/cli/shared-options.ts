/** The options that commands share, as data: completion reads them without loading commander. */
import type { CommandSpec, OptionSpec } from './define.ts'

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'name'] as const
export const progressViews = ['auto', 'tty', 'plain', 'json', 'github'] as const

const output: OptionSpec = {
  flags: '-o, --output <format>',
  description: 'how data is printed',
  default: 'table',
  choices: [...outputFormats],
}
const repo: OptionSpec = { flags: '--repo <path>', description: 'repository (default: upwards from here)' }
const color: OptionSpec = { flags: '--no-color', description: 'no colours (also: NO_COLOR)' }
const cluster: OptionSpec = { flags: '--cluster <name>', description: 'cluster, as in kubernetes/clusters/' }
const lab: OptionSpec[] = [
  { flags: '--lab', description: 'against the rehearsal cluster on this machine', default: false },
  { flags: '--lab-name <name>', description: 'which lab, when there are several' },
]
const write: OptionSpec[] = [
  { flags: '--dry-run', description: 'print the plan and change nothing', default: false },
  { flags: '--plan-out <file>', description: 'save the plan for `k8sops run exec`, and change nothing' },
  { flags: '-y, --yes', description: 'answer the question before a destructive change with yes', default: false },
  {
    flags: '--timeout <duration>',
    description: 'time limit of the whole run, e.g. 45m (default: none beyond the steps)',
  },
  { flags: '--report <file>', description: 'save the result as .json or .md, or as both when FILE has no ending' },
  {
    flags: '--progress <view>',
    description: 'how progress is shown on stderr',
    default: 'auto',
    choices: [...progressViews],
  },
]

/** All options of a command: its own first, then those that its effect brings. */
export function optionsOf(spec: CommandSpec): OptionSpec[] {
  const scope = spec.effect === 'write' || spec.effect === 'run' ? 'cluster' : spec.scope
  const shared = [
    ...(spec.effect === 'write' || spec.effect === 'run' ? write : []),
    ...(scope === 'cluster' ? [cluster] : []),
    ...(scope === 'none' ? [] : [repo]),
    ...lab,
    output,
    color,
  ]
  const own = spec.options ?? []
  const taken = new Set(own.map(longName))
  return [...own, ...shared.filter((option) => !taken.has(longName(option)))]
}

/** `--lab-name <name>` -> `lab-name`; `--no-color` -> `no-color`. */
export function longName(option: OptionSpec): string {
  return /--([\w-]+)/.exec(option.flags)?.[1] ?? option.flags
}

/** `--lab-name` -> `K8SOPS_LAB_NAME` */
export function environmentName(option: OptionSpec): string {
  return `K8SOPS_${longName(option).replaceAll('-', '_').toUpperCase()}`
}

/** True for `--cluster <name>`: the next word is its value. */
export function takesValue(option: OptionSpec): boolean {
  return /[<[]/.test(option.flags)
}

/** Shared options with a value, which may stand before the command's words as well. */
export const leadingValueOptions = new Set(
  [output, repo, cluster, ...lab, ...write].filter(takesValue).flatMap(({ flags }) => flags.match(/--?[\w-]+/g) ?? []),
)
