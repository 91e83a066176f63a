/**
 * Runbooks are true: every ```bash block of docs/runbooks runs, as written, in a healthy lab and exits 0. A block that can't
 * says why in its first line (`# not-in-lab: reason`) and is counted as skipped.
 *
 * K8SOPS_TEST_FULL=1 runs every block; otherwise a sample, chosen by K8SOPS_TEST_SEED.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, type RunbookBlock, readRunbooks, runbookSections } from '../../src/lib/repo/runbooks.ts'
import { full, seed } from '../helpers/seed.ts'
import { type SharedLab, sharedLab } from '../helpers/shared-lab.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

const root = join(import.meta.dirname, '../..')
const sampleSize = 10

const runbooks = readRunbooks(root)
const readme = readFileSync(join(root, 'docs/runbooks/README.md'), 'utf8')
const blocks = [...blocksOf('README', readme), ...runbooks.flatMap((runbook) => runbook.blocks)]
const inLab = blocks.filter(({ notInLab }) => notInLab === undefined)

const rank = ({ id }: RunbookBlock) => createHash('sha256').update(`${seed} ${id}`).digest('hex')
const chosen = full ? inLab : inLab.toSorted((a, b) => rank(a).localeCompare(rank(b))).slice(0, sampleSize)

describe('runbooks', () => {
  for (const { name, markdown, symptoms } of runbooks) {
    it(`${name} has every section, in order, and stands in the table of symptoms`, () => {
      expect([...markdown.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual(runbookSections)
      expect(symptoms).not.toEqual([])
    })
  }
})

describe(`blocks of the runbooks, in a lab (seed ${seed})`, () => {
  let lab: SharedLab
  beforeAll(async () => {
    lab = await sharedLab()
  })
  const k8sops = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(root, 'bin/k8sops.js'), ...args, ...lab.flags], {
      cwd: root,
      env: lab.env,
      maxBuffer: 2 ** 26,
    })

  for (const { id } of chosen) {
    it(id, async () => {
      const { stdout } = await k8sops('runbook', 'run', id, '-o', 'json')
      expect(JSON.parse(stdout)).toMatchObject({ kind: 'RunbookRehearsal', items: [{ id, outcome: 'passed' }] })
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
