/**
 * `npm test`: sets up the tool-chain, then runs every ring and the static checks, and closes with the true sum.
 * The last line is `N passed, N failed, N skipped`; a skip is printed with its reason above it.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const run = (command: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1

interface VitestReport {
  numPassedTests: number
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { status: string; fullName: string; meta?: { skipReason?: string }; failureMessages?: string[] }[]
  }[]
}

const sum = { passed: 0, failed: 0, skipped: 0 }
const count = (name: string, status: number) => {
  sum[status === 0 ? 'passed' : 'failed'] += 1
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`)
}

const bin = (name: string) => join(root, 'node_modules/.bin', name)
const full = process.argv.includes('--full')
const rings = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))

if (rings.length === 0) {
  count('types (tsc)', run(bin('tsc'), ['-p', '.']))
  count('lint and format (biome)', run(bin('biome'), ['check', '--error-on-warnings']))
}

// Without its tools a ring would only fail with a worse message: a broken set-up is one failure, and the rest still runs.
count('tool-chain (tools/setup.ts --for test)', run(process.execPath, ['tools/setup.ts', '--for', 'test']))

const report = join(mkdtempSync(join(tmpdir(), 'k8sops-test-')), 'report.json')
const status = run(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...rings.flatMap((ring) => ['--project', ring]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ],
  full ? { K8SOPS_TEST_FULL: '1' } : {},
)

try {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as VitestReport
  for (const file of testResults) {
    // A file that could not be collected has no assertions: it counts as one failure, never as nothing.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) sum.failed += 1
    for (const test of file.assertionResults) {
      if (test.status === 'passed') sum.passed += 1
      else if (test.status === 'failed') sum.failed += 1
      else {
        sum.skipped += 1
        console.log(`skipped: ${test.fullName}: ${test.meta?.skipReason ?? 'no reason given'}`)
      }
    }
  }
} catch (error) {
  console.log(`vitest left no report (${error instanceof Error ? error.message : error})`)
  sum.failed += 1
}
if (status !== 0 && sum.failed === 0) sum.failed += 1

console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exit(sum.failed === 0 ? 0 : 1)
