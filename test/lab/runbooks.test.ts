/**
 * Runbooks are true: every ```bash block of docs/runbooks runs, as written, in a healthy lab and exits 0. A block that can't
 * says why in its first line (`# not-in-lab: reason`) and is counted as skipped.
 *
 * K8SOPS_TEST_FULL=1 runs every block; otherwise a sample, chosen by K8SOPS_TEST_SEED (default: the day).
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { seed } from '../helpers/seed.ts'
import { type SharedLab, sharedLab } from '../helpers/shared-lab.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

interface Block {
  id: string
  text: string
  notInLab?: string
}

const root = join(import.meta.dirname, '../..')
const directory = join(root, 'docs/runbooks')
const sections = ['When', 'Preconditions', 'Command', 'What you see', 'If it stops', 'Undo', 'Verify']
const sampleSize = 10
const blockLimitSec = 300

/** Blocks of one runbook, named by the line that they begin on. */
function blocksOf(file: string, markdown: string): Block[] {
  return [...markdown.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => {
    const [, text = ''] = match
    const line = markdown.slice(0, match.index).split('\n').length
    const notInLab = /^# not-in-lab: (.+)$/m.exec(text.split('\n')[0] ?? '')?.[1]
    return { id: `${basename(file)}:${line}`, text, ...(notInLab ? { notInLab } : {}) }
  })
}

const runbooks = readdirSync(directory)
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, markdown: readFileSync(join(directory, name), 'utf8') }))
const blocks = runbooks.flatMap(({ name, markdown }) => blocksOf(name, markdown))
const inLab = blocks.filter(({ notInLab }) => notInLab === undefined)

const rank = ({ id }: Block) => createHash('sha256').update(`${seed} ${id}`).digest('hex')
const full = process.env.K8SOPS_TEST_FULL === '1'
const chosen = full ? inLab : inLab.toSorted((a, b) => rank(a).localeCompare(rank(b))).slice(0, sampleSize)

describe('runbooks', () => {
  for (const { name, markdown } of runbooks.filter((runbook) => runbook.name !== 'README.md')) {
    it(`${name} has every section, in order, and stands in the table of symptoms`, () => {
      expect([...markdown.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual(sections)
      const index = runbooks.find((runbook) => runbook.name === 'README.md')?.markdown ?? ''
      expect(index).toContain(`](${name})`)
    })
  }
})

describe(`blocks of the runbooks, in a lab (seed ${seed})`, () => {
  let lab: SharedLab
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    lab = await sharedLab()
    env = { ...lab.env, PATH: [join(root, 'bin'), process.env.PATH].join(delimiter) }
  })
  const k8sops = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(root, 'bin/k8sops.js'), ...args], {
      cwd: root,
      env,
      maxBuffer: 2 ** 26,
    })

  /** Only what is dialled is mapped in a lab (design, section 5): the addresses that talosctl is given. */
  const mapped = (text: string) =>
    text.replace(/^.*talosctl.*$/gm, (line) =>
      lab.record.machines.reduce((mixed, { address, nodeAddress }) => mixed.replaceAll(nodeAddress, address), line),
    )

  for (const block of chosen) {
    it(block.id, async () => {
      const script = ['timeout', String(blockLimitSec), 'bash', '-euo', 'pipefail', '-c', mapped(block.text)]
      await expect(k8sops('lab', 'exec', ...lab.flags, '--', ...script)).resolves.toBeDefined()
    })
  }
  for (const { id, notInLab = '' } of blocks.filter((block) => block.notInLab !== undefined)) {
    it(id, (context) => {
      context.task.meta.skipReason = notInLab
      context.skip(notInLab)
    })
  }
  const left = inLab.length - chosen.length
  if (left > 0) {
    it(`${left} more blocks`, (context) => {
      context.task.meta.skipReason = `a sample of ${chosen.length}; all of them with K8SOPS_TEST_FULL=1`
      context.skip(context.task.meta.skipReason)
    })
  }
})
