/** docs/runbooks: one Markdown file for what may go wrong with one thing, whose ```bash blocks are run in a lab by a test. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from './layout.ts'

export interface RunbookBlock {
  /** The runbook and the line that the block begins on, `flux:23`. */
  id: string
  /** Heading that it stands under. */
  section: string
  text: string
  /** Why it can't run in a lab, from its first line (`# not-in-lab: reason`). */
  notInLab?: string
  /** The cluster that it is about, where only a lab of that one will do (`# in-lab-of: infra`). */
  labOf?: string
}

export interface Runbook {
  name: string
  /** From the root of the repository. */
  file: string
  /** The first paragraph: what it is about. */
  about: string
  /** What leads to it, from the table of README.md. */
  symptoms: string[]
  markdown: string
  blocks: RunbookBlock[]
}

/** Every runbook needs these, in this order. */
export const runbookSections = ['When', 'Preconditions', 'Command', 'What you see', 'If it stops', 'Undo', 'Verify']

const index = 'README.md'

/** @returns the names, without reading one */
export function runbookNames(root: string): string[] {
  const names = readdirSync(join(root, layout.runbooks)).filter((file) => file.endsWith('.md') && file !== index)
  return names.map((file) => file.slice(0, -'.md'.length)).sort()
}

export function readRunbooks(root: string): Runbook[] {
  const symptoms = symptomsOf(readFileSync(join(root, layout.runbooks, index), 'utf8'))
  return runbookNames(root).map((name) => {
    const file = `${layout.runbooks}/${name}.md`
    const markdown = readFileSync(join(root, file), 'utf8')
    const [, , about = ''] = /^# .+\n\n((.+))/.exec(markdown) ?? []
    return { name, file, about, symptoms: symptoms.get(name) ?? [], markdown, blocks: blocksOf(name, markdown) }
  })
}

/** @param markdown of a runbook or of the README there, which has blocks, too */
export function blocksOf(name: string, markdown: string): RunbookBlock[] {
  return [...markdown.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => {
    const [, text = ''] = match
    const before = markdown.slice(0, match.index).split('\n')
    const section = before.findLast((line) => line.startsWith('## '))?.slice(3) ?? ''
    const notInLab = /^# not-in-lab: (.+)/.exec(text)?.[1]
    const labOf = /^# in-lab-of: (\S+)/.exec(text)?.[1]
    return {
      id: `${name}:${before.length}`,
      section,
      text,
      ...(notInLab ? { notInLab } : {}),
      ...(labOf ? { labOf } : {}),
    }
  })
}

/** Rows of `| symptom | [name](file.md) |`. */
function symptomsOf(readme: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [, symptom = '', links = ''] of readme.matchAll(/^\| (.+) \| (.*\]\(.*) \|$/gm))
    for (const [, name = ''] of links.matchAll(/\]\(([\w-]+)\.md\)/g))
      found.set(name, [...(found.get(name) ?? []), symptom])
  return found
}
