/**
 * `npm test [-- RING...]`: sets up the tool-chain, then runs the static checks and every ring, and closes with the true
 * sum. The last line is `N passed, N failed, N skipped`; a skip is printed with its reason above it.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface VitestReport {
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { status: string; fullName: string; meta?: { skipReason?: string } }[]
  }[]
}

const root = join(import.meta.dirname, '..')
const full = process.argv.includes('--full')
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
/** One after the other: two cores are one lab's worth, and a ring that waits for the CPU measures nothing but that. */
const rings = ['unit', 'golden', 'repo', 'tools', 'lab'].filter((ring) => chosen.length === 0 || chosen.includes(ring))
const sum = { passed: 0, failed: 0, skipped: 0 }

const run = (command: string, args: string[], env: NodeJS.ProcessEnv = {}): number =>
  spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1

function check(name: string, command: string, args: string[]): void {
  const status = run(command, args)
  sum[status === 0 ? 'passed' : 'failed'] += 1
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`)
}

function runRing(ring: string): void {
  console.log(`\n== ${ring}`)
  const report = join(mkdtempSync(join(tmpdir(), 'k8sops-test-')), 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const env = full ? { K8SOPS_TEST_FULL: '1' } : {}
  const status = run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--project', ring, ...reporters], env)
  const failedBefore = sum.failed
  try {
    add(JSON.parse(readFileSync(report, 'utf8')) as VitestReport)
  } catch (error) {
    console.log(`ring ${ring} left no report (${error instanceof Error ? error.message : error})`)
    sum.failed += 1
  }
  // An error outside every test fails the run, too.
  if (status !== 0 && sum.failed === failedBefore) sum.failed += 1
}

function add({ testResults }: VitestReport): void {
  for (const file of testResults) {
    const tests = file.assertionResults
    // A file that could not be collected has no assertions: it counts as one failure, never as nothing.
    if (file.status === 'failed' && !tests.some(({ status }) => status === 'failed')) sum.failed += 1
    for (const { status, fullName, meta } of tests) {
      if (status === 'passed') sum.passed += 1
      else if (status === 'failed') sum.failed += 1
      else {
        sum.skipped += 1
        const reason = meta?.skipReason ?? (status === 'todo' ? 'nothing in the repository to hold it against yet' : '')
        console.log(`skipped: ${fullName}${reason ? `: ${reason}` : ''}`)
      }
    }
  }
}

const bin = (name: string) => join(root, 'node_modules/.bin', name)
if (chosen.length === 0) {
  check('types (tsc)', bin('tsc'), ['-p', '.'])
  check('lint and format (biome)', bin('biome'), ['check', '--error-on-warnings'])
}
// Without its tools a ring would only fail with a worse message.
check('tool-chain (tools/setup.ts --for test)', process.execPath, ['tools/setup.ts', '--for', 'test'])
for (const ring of rings) runRing(ring)

console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exit(sum.failed === 0 ? 0 : 1)
