/** docs/commands.md: every command as one reads it without a terminal, from the commands themselves. */
import type { CommandSpec, OptionSpec } from './define.ts'
import { optionsOf } from './shared-options.ts'

/** Said once instead of below every command. */
const shared = optionsOf({
  effect: 'run',
  path: '',
  summary: '',
  examples: [],
  source: () => Promise.reject(new Error()),
})
const everywhere = new Set(shared.map(({ flags }) => flags))

const effects: Record<CommandSpec['effect'], string> = {
  read: 'Reads; changes nothing.',
  write: 'Changes a cluster, by a plan: `--dry-run` prints it, Ctrl-C stops it, `k8sops run resume` goes on.',
  local: 'Changes files or processes of this machine only.',
  run: 'Runs a plan that was made before.',
}

/** @param topics what the first words are about */
export function commandReference(specs: CommandSpec[], topics: Record<string, string>): string {
  const byTopic = Map.groupBy(specs, ({ path }) => (path.includes(' ') ? path.split(' ')[0] : '') ?? '')
  const alone = byTopic.get('') ?? []
  const grouped = [...byTopic].filter(([topic]) => topic !== '').sort(([a], [b]) => (a < b ? -1 : 1))
  const sections = [
    '# Commands\n\nMade from the commands themselves (`vitest run --project golden -u` writes it anew). `k8sops COMMAND --help` says the same.',
    `## Options of many commands\n\nEach can be given as \`K8SOPS_<OPTION>\`. Plans take all of them, reads those about where and how.\n\n${optionTable(shared)}`,
    ...alone.map((spec) => command(spec, '##')),
    ...grouped.flatMap(([topic, own]) => [
      `## ${topic}\n\n${topics[topic] ?? ''}`,
      ...own.map((spec) => command(spec, '###')),
    ]),
  ]
  return `${sections.join('\n\n')}\n`
}

function command(spec: CommandSpec, level: string): string {
  const { path, summary, description, args = {}, effect, examples, runbook, options = [] } = spec
  const words = Object.keys(args).map((name) => (name.endsWith('?') ? `[${name.slice(0, -1)}]` : `<${name}>`))
  const own = options.filter(({ flags }) => !everywhere.has(flags))
  const told = Object.entries(args).map(([name, text]) => `- \`${name.replace(/\?$/, '')}\`: ${text}`)
  return [
    `${level} \`k8sops ${[path, ...words].join(' ')}\``,
    `${summary}. ${effects[effect]}`,
    ...(description ? [description] : []),
    ...(told.length > 0 ? [told.join('\n')] : []),
    ...(own.length > 0 ? [optionTable(own)] : []),
    examples.map((example) => `    ${example}`).join('\n'),
    ...(runbook ? [`Runbook: [${runbook.replace(/^.*\//, '')}](${runbook.replace(/^docs\//, '')})`] : []),
  ].join('\n\n')
}

const cellText = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

function optionTable(options: OptionSpec[]): string {
  const rows = options.map(({ flags, description, default: value, choices }) => {
    const more = [...(choices ? [choices.join(', ')] : []), ...(typeof value === 'string' ? [`default: ${value}`] : [])]
    return `| \`${flags.replaceAll('|', '\\|')}\` | ${cellText(description)}${more.length > 0 ? ` (${cellText(more.join('; '))})` : ''} |`
  })
  return ['| option | |', '|---|---|', ...rows].join('\n')
}
