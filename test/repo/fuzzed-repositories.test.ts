/**
 * Repositories that are broken in ten places at once, drawn by seed: every command that reads answers, or says what is wrong; none
 * of them crashes. No cluster can be reached. One repository and 25 commands here; 20 and all of them with K8SOPS_TEST_FULL=1.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { commands } from '../../src/commands/index.ts'
import { isYaml, readSourceFiles } from '../../src/lib/repo/source-files.ts'
import { drawMutation, generator } from '../helpers/mutations.ts'
import { full, randomOf, sample, seed } from '../helpers/seed.ts'
import { type WorkingCopy, workingCopy } from './working-copy.ts'

/** What stands for the arguments of a command that has to be given some. */
const given: Record<string, string[]> = {
  'alerts show': ['Watchdog'],
  'component show': ['volsync'],
  'flux diff': ['odoo'],
  'flux trace': ['Deployment', 'odoo'],
  'metrics query': ['up'],
  'metrics range': ['up'],
  'netpol explain': ['business/odoo', 'databases/postgres', '5432'],
  'platform connect': ['kafka'],
  'rollout verify': ['HEAD'],
  'runbook show': ['flux'],
  'volsync snapshots': ['odoo'],
  why: ['odoo'],
}
/** Writes are planned only. */
const planned = [
  ['bootstrap', '--dry-run'],
  ['talos', 'gen', '--cluster', 'apps'],
  ['app', 'new', 'wiki', '--dry-run'],
]

const count = full ? 20 : 1
const first = Number(seed.replaceAll(/\D/g, ''))
let copy: WorkingCopy | undefined
afterEach(() => copy?.remove())

/** Ten breakages, one after the other; each file may be met again. */
function broken(number: number): string[] {
  copy = workingCopy()
  const files = new Map(
    readSourceFiles(copy.root)
      .filter(isYaml)
      .map(({ path, text }) => [path, text]),
  )
  const done: string[] = []
  for (let index = 0; index < 10; index += 1) {
    const { file, text, what } = drawMutation(files, new Set(), number * 100 + index)
    files.set(file, text)
    writeFileSync(join(copy.root, file), text)
    done.push(`${file}: ${what}`)
  }
  for (const args of [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'all'],
  ])
    execFileSync('git', args, { cwd: copy.root, stdio: 'ignore' })
  // In every other one a file is cut off in the middle, as by a full disk: most commands end there, and come no further.
  if (number % 2 === 0) return done
  const paths = [...files.keys()].sort()
  const cut = paths[generator(number)(paths.length)] ?? ''
  const text = readFileSync(join(copy.root, cut), 'utf8')
  writeFileSync(join(copy.root, cut), text.slice(0, text.length / 2))
  return [...done, `${cut}: cut off`]
}

test('outside of git the commands that ask git say so', async () => {
  copy = workingCopy()
  const { code, stderr } = await copy.k8sops('secrets', 'check')
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('$ git -C') })
  expect(stderr).toContain('not a git repository')
})

test.each(Array.from({ length: count }, (_, index) => first + index))(
  'repository %i',
  { timeout: 1_200_000 },
  async (number) => {
    const done = broken(number)
    const reads: string[][] = []
    for (const { path, load } of commands) {
      const { effect } = await load()
      if (effect === 'read') reads.push([...path.split(' '), ...(given[path] ?? [])])
    }
    const crashes: string[] = []
    const asked = [...reads, ...planned]
    for (const words of full ? asked : sample(asked, 25, randomOf('fuzzed repositories'))) {
      const { code, stderr } = await copy!.k8sops(...words)
      if (/internal error:/.test(stderr) || code > 6) crashes.push(`${words.join(' ')}: exit ${code}: ${stderr}`)
    }
    expect(crashes, done.join('\n')).toEqual([])
  },
)
