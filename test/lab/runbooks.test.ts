/**
 * Runbooks are true: every ```bash block of docs/runbooks runs, as written, in a healthy lab of apps and exits 0. A block that can't
 * says why in its first line (`# not-in-lab: reason`) and is counted as skipped; those of infra (`# in-lab-of: infra`) run in its lab
 * (test/lab/own/infra-platform.test.ts).
 *
 * K8SOPS_TEST_FULL=1 runs every block; otherwise a sample, chosen by K8SOPS_TEST_SEED.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, readRunbooks, runbookSections } from '../../src/lib/repo/runbooks.ts'
import { sampledBlocks } from '../helpers/runbook-blocks.ts'
import { seed } from '../helpers/seed.ts'
import { type SharedLab, sharedLab } from '../helpers/shared-lab.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

const root = join(import.meta.dirname, '../..')
const runbooks = readRunbooks(root)
const readme = readFileSync(join(root, 'docs/runbooks/README.md'), 'utf8')
const blocks = [...blocksOf('README', readme), ...runbooks.flatMap((runbook) => runbook.blocks)]
const { chosen, left } = sampledBlocks(blocks.filter(({ labOf = 'apps' }) => labOf === 'apps'))

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
  if (left > 0) {
    it(`${left} more blocks`, (context) => {
      context.task.meta.skipReason = `a sample of ${chosen.length}; all of them with K8SOPS_TEST_FULL=1`
      context.skip(context.task.meta.skipReason)
    })
  }
})
