/**
 * README.md and docs/onboarding.md are true: their blocks run as they are written, one line after the other, where a reader would
 * run them. Minutes long, so only with K8SOPS_TEST_FULL=1; that every line is understood, test/golden/documented-commands.test.ts
 * shows each time.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repositoryRoot } from '../../helpers/lab.ts'
import { full } from '../../helpers/seed.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

const home = mkdtempSync(join(tmpdir(), 'k8sops-documents-'))
const clone = join(home, 'k8s-ops')
beforeAll(() => {
  if (!full) return
  execFileSync('git', ['clone', '--quiet', repositoryRoot, clone])
  symlinkSync(join(repositoryRoot, 'node_modules'), join(clone, 'node_modules'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** The indented block below a heading. */
function blockOf(document: string, heading: string): string {
  const text = readFileSync(join(repositoryRoot, document), 'utf8').split(`\n## ${heading}\n`)[1] ?? ''
  const [block = ''] = /(?:^ {4}.*\n)+/m.exec(text.split('\n## ')[0] ?? '') ?? []
  if (block === '') throw new Error(`${document} has no block below "${heading}"`)
  return block.replaceAll(/^ {4}/gm, '')
}

/** bash, in a fresh clone. */
async function reader(script: string): Promise<{ code: number | null; output: string }> {
  const path = [join(clone, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
  const env = { ...process.env, PATH: path, XDG_STATE_HOME: join(home, 'state'), K8SOPS_PROGRESS: 'plain' }
  const child = spawn('bash', ['-exo', 'pipefail', '-c', script], {
    cwd: clone,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

const skipped = { skip: !full, meta: { skipReason: 'minutes long: npm run test:full' } }

test('README.md: in the lab, from nothing to an upgrade', skipped, async () => {
  const { code, output } = await reader(blockOf('README.md', 'In the lab'))
  expect(code, output).toBe(0)
})

test('docs/onboarding.md: a third cluster, written, checked, rehearsed and given an application', skipped, async () => {
  const headings = ['1. Write the files of another cluster', '2. Rehearse it', 'An application']
  const blocks = headings.map((heading) => blockOf('docs/onboarding.md', heading))
  const { code, output } = await reader([...blocks, 'k8sops lab down --cluster staging'].join('\n'))
  expect(code, output).toBe(0)
  expect(output).toMatch(/bootstrap of staging: succeeded/)
})
