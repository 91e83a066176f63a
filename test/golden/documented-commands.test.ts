/**
 * What the documentation tells somebody to type is a command line that there is: every `k8sops` and `task` line of the
 * README, the guides, the runbooks and the ADRs goes through the real parser, with its options, and nothing runs.
 */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { commands, topics } from '../../src/commands/index.ts'
import type { CommandEntry } from '../../src/lib/cli/registry.ts'
import { runCli } from '../helpers/cli.ts'

const root = join(import.meta.dirname, '../..')
const documents = ['README.md', ...globSync('docs/**/*.md', { cwd: root })].sort()

interface Line {
  /** `docs/onboarding.md:9` */
  at: string
  text: string
  /** In a sentence a command may be named without all of its arguments. */
  inSentence: boolean
}

/** Lines of code blocks, fenced or indented, with their continuations; code in a sentence. */
function linesOf(file: string): Line[] {
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  const found: Line[] = []
  let fenced = false
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('```')) fenced = !fenced
    const at = `${file}:${index + 1}`
    const code = fenced || line.startsWith('    ') ? line.trim().replace(/^\$ /, '') : undefined
    if (code !== undefined && /^(k8sops|task) /.test(code)) {
      let text = code
      for (let next = index + 1; text.endsWith('\\'); next += 1) text = `${text.slice(0, -1)} ${lines[next]?.trim()}`
      found.push({ at, text, inSentence: false })
    } else if (code === undefined)
      for (const [, text = ''] of line.matchAll(/`(k8sops [^`]+)`/g)) found.push({ at, text, inSentence: true })
  }
  return found
}

/** Words as bash makes them of each line: quotes, comments. `k8sops` and `task` say what they were given. */
function wordsOf(lines: Line[]): string[][] {
  const script = `
    k8sops() { said=$(printf '%s\\037' k8sops "$@"); }
    task() { said=$(printf '%s\\037' task "$@"); }
    while IFS= read -r -d '' line; do said=; eval "$line"; printf '%s\\n' "$said"; done`
  // What takes the output is not ours, and would write files.
  const input = lines.map(({ text }) => `${text.replace(/ ([<>|;]|&&).*$/, '')}\0`).join('')
  const output = execFileSync('bash', ['-c', script], { input, encoding: 'utf8' })
  return output.split('\n').map((line) => line.split('\x1f').slice(0, -1))
}

/** Commands that are parsed with all of their options, and do nothing. */
const still: CommandEntry[] = commands.map((entry) => ({
  ...entry,
  load: async () => {
    const spec = await entry.load()
    const nothing = async () => ({ kind: 'Nothing', items: [], columns: [] })
    return spec.effect === 'write' || spec.effect === 'run'
      ? { ...spec, effect: 'write', instead: nothing }
      : { ...spec, read: nothing, run: nothing }
  },
})) as CommandEntry[]

const { tasks } = parse(readFileSync(join(root, 'Taskfile.yaml'), 'utf8')) as {
  tasks: Record<string, { cmd: string; desc: string }>
}

/** What each task's description shows: `Hold a node: task node:cordon cluster=apps node=apps-w1 -- --reason TEXT`. */
const taskLines: Line[] = Object.entries(tasks).flatMap(([name, { desc }]) => {
  const shown = desc.split(/: (?=task )|; (?=task )/).slice(1)
  const texts = shown.length > 0 ? shown : name === 'default' ? [] : [`task ${name}`]
  return texts.map((text) => ({ at: `Taskfile.yaml ${name}`, text, inSentence: false }))
})

/** `task flux:suspend app=arsipq cluster=apps -- --for 2h` as Taskfile.yaml forwards it. */
function forwarded([name = '', ...words]: string[]): string[] {
  const task = tasks[name]
  if (!task) return [`no-task-${name}`]
  const end = words.indexOf('--')
  const given = new Map(words.slice(0, end < 0 ? undefined : end).map((word) => word.split('=') as [string, string]))
  const cluster = given.get('cluster')
  const line = task.cmd
    .replace('{{.k8sops}} ', '')
    .replace('{{.on}}', cluster === undefined ? '' : `--cluster ${cluster}`)
    .replace('{{.CLI_ARGS}}', end < 0 ? '' : words.slice(end + 1).join(' '))
    .replaceAll(/\{\{\.(\w+)\}\}/g, (_, variable: string) => given.get(variable) ?? '')
  return line.split(' ').filter((word) => word !== '')
}

const isAbridged = (text: string) => /\[|…|\.\.\.|\w\|\w/.test(text)

const lines = [...taskLines, ...documents.flatMap(linesOf)].filter(({ text, inSentence }) => !(inSentence && isAbridged(text)))
const words = wordsOf(lines)

test('the documents hold command lines', () => {
  expect(lines.filter(({ inSentence }) => !inSentence).length).toBeGreaterThan(100)
  expect(lines.filter(({ inSentence }) => inSentence).length).toBeGreaterThan(100)
})

test('every kind of task that the PRD and home-ops repositories have is there, and docs/tasks.md tells what each is', async () => {
  const kinds = new Set(Object.keys(tasks).map((name) => name.split(':')[0]))
  expect([...kinds]).toEqual(expect.arrayContaining(['bootstrap', 'talos', 'flux', 'kubernetes', 'volsync', 'op']))
  expect(taskLines.filter(({ at, text }) => !`${text} `.startsWith(`task ${at.split(' ')[1]} `))).toEqual([])
  const rows = taskLines.map(({ at, text }) => {
    const [, name = ''] = at.split(' ')
    const command = ['k8sops', ...forwarded(text.split(' ').slice(1))].join(' ')
    return `| \`${text}\` | \`${command}\` | ${tasks[name]?.desc.split(': task ')[0]} |`
  })
  const page = readFileSync(join(root, 'docs/tasks.md'), 'utf8')
  expect(page.match(/^\| `task .*$/gm)).toEqual(rows)
})

test('each is understood as it is written', async () => {
  const wrong: string[] = []
  for (const [index, { at, text, inSentence }] of lines.entries()) {
    const [program, ...argv] = words[index] ?? []
    // Only what bash could not read leaves nothing.
    if (program === undefined) wrong.push(`${at}: ${text}\n    not a line of shell`)
    const { code, stderr } = await runCli(program === 'task' ? forwarded(argv) : argv, { entries: still, topics })
    const isShort = inSentence && /missing required argument|Usage: /.test(stderr)
    if (code !== 0 && !isShort) wrong.push(`${at}: ${text}\n    ${stderr.trim()}`)
  }
  expect(wrong).toEqual([])
})
