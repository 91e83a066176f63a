/**
 * `npm test [-- RING...]`: sets up the tool-chain, then runs the static checks and every ring, and closes with the true
 * sum. The last line is `N passed, N failed, N skipped`; a skip is printed with its reason above it.
 */
import { type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { randomOf, sample } from './helpers/seed.ts'

interface VitestReport {
  testResults: {
    name: string
    status: string
    message: string
    /** Milliseconds since 1970. */
    startTime: number
    endTime: number
    assertionResults: {
      status: string
      fullName: string
      failureMessages?: string[]
      meta?: { skipReason?: string }
    }[]
  }[]
}

const root = join(import.meta.dirname, '..')
const full = process.argv.includes('--full')
const rings = ['unit', 'golden', 'repo', 'tools', 'lab', 'lab-own']
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = chosen.filter((ring) => !rings.includes(ring))
if (unknown.length > 0) {
  console.error(`no such ring: ${unknown.join(', ')}; there are ${rings.join(', ')}`)
  process.exit(2)
}
/**
 * Files that take a minute or more and that no other file needs: the seed says which half is left to another day. Whatever every change can
 * break (bootstrap, gates, both labs' manifests, rules, commands' words) is run every time.
 */
const long = [
  'lab/ceph',
  'lab/ceph-osds',
  'lab/cnpg',
  'lab/connectivity',
  'lab/drill',
  'lab/node-departures',
  'lab/node-operations',
  'lab/secrets',
  'lab/upgrade',
  'lab/volsync',
  'lab/own/flux-holds',
  'lab/own/lab-control-plane',
  'lab/own/lab-lifecycle',
  'lab/own/package',
  'lab/own/recovery',
  'lab/own/rollout',
  'lab/own/sources',
  'lab/own/why',
  'repo/changed',
  'repo/cluster-new',
  'repo/fuzzed-repositories',
  'repo/mutations',
  'repo/renovate',
  'repo/workflows',
  'tools/connectivity',
  'tools/secrets',
]
const undrawn = full ? [] : sample(long, long.length / 2, randomOf('long')).map((name) => `test/${name}.test.ts`)
const ringOf = (file: string) => (file.startsWith('test/lab/own/') ? 'lab-own' : (file.split('/')[1] ?? ''))
const wanted = (ring: string) => chosen.length === 0 || chosen.includes(ring)
const sum = { passed: 0, failed: 0, skipped: 0 }
/** What failed and how, told once more at the end: of a log that is cut off, that is what is kept. */
const failures: string[] = []
/** How long each file took, in seconds of the clock: other files ran beside it. */
const took: { file: string; seconds: number }[] = []

/** @param output takes what it prints, instead of this terminal */
async function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}, output?: number): Promise<number> {
  const stdio: StdioOptions = output === undefined ? 'inherit' : ['ignore', output, output]
  const [status] = await once(spawn(command, args, { cwd: root, stdio, env: { ...process.env, ...env } }), 'close')
  return typeof status === 'number' ? status : 1
}

async function check(name: string, command: string, args: string[]): Promise<void> {
  const status = await run(command, args)
  sum[status === 0 ? 'passed' : 'failed'] += 1
  if (status !== 0) failures.push(`${name}: exit code ${status}`)
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`)
}

/** @param aside another ring has the terminal: what this one prints is shown when it is through */
async function runRing(ring: string, { aside = false } = {}): Promise<void> {
  if (!aside) console.log(`\n== ${ring}`)
  const directory = mkdtempSync(join(tmpdir(), 'k8sops-test-'))
  const report = join(directory, 'report.json')
  const output = join(directory, 'output')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  // vitest takes one core less than there are, which on two is one file at a time, and most of them wait. Labs come one by one.
  const workers = ring.startsWith('lab') ? [] : ['--maxWorkers=3']
  // These touch nothing that the next file could meet, and modules that all of them use are loaded once.
  if (ring === 'unit' || ring === 'golden') workers.push('--no-isolate')
  const excluded = undrawn.map((file) => `--exclude=${file}`)
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', ring, ...workers, ...excluded, ...reporters]
  const env = full ? { K8SOPS_TEST_FULL: '1' } : {}
  const status = await run(process.execPath, args, env, aside ? openSync(output, 'w') : undefined)
  if (aside) console.log(`\n== ${ring}\n${readFileSync(output, 'utf8')}`)
  const failedBefore = sum.failed
  try {
    add(JSON.parse(readFileSync(report, 'utf8')) as VitestReport)
  } catch (error) {
    failures.push(`ring ${ring} left no report (${error instanceof Error ? error.message : error})`)
    sum.failed += 1
  }
  if (status === 0 || sum.failed > failedBefore) return
  sum.failed += 1
  failures.push(`ring ${ring}: an error outside every test (above)`)
}

/** @param text a message with its stack; the first lines are the message */
const inShort = (text: string) => text.split('\n').slice(0, 12).join('\n    ').slice(0, 2000)

function add({ testResults }: VitestReport): void {
  for (const file of testResults) {
    took.push({ file: relative(root, file.name), seconds: (file.endTime - file.startTime) / 1000 })
    const tests = file.assertionResults
    // A file that could not be collected has no assertions: it counts as one failure, never as nothing.
    if (file.status === 'failed' && !tests.some(({ status }) => status === 'failed')) {
      sum.failed += 1
      failures.push(`${relative(root, file.name)}\n    ${inShort(file.message)}`)
    }
    for (const { status, fullName, failureMessages = [], meta } of tests) {
      if (status === 'passed') sum.passed += 1
      else if (status === 'failed') {
        sum.failed += 1
        failures.push(`${relative(root, file.name)}: ${fullName}\n    ${inShort(failureMessages.join('\n'))}`)
      } else {
        sum.skipped += 1
        const reason = meta?.skipReason ?? (status === 'todo' ? 'nothing in the repository to hold it against yet' : '')
        console.log(`skipped: ${fullName}${reason ? `: ${reason}` : ''}`)
      }
    }
  }
}

for (const file of undrawn.filter((file) => wanted(ringOf(file)))) {
  sum.skipped += 1
  console.log(`skipped: ${file}: the seed has left it to another day: npm run test:full`)
}
// A fifth of the processor time of a lab's API server is garbage collection (pprof of 1.35.4), and here is memory to spare.
process.env.GOGC ??= '300'
const bin = (name: string) => join(root, 'node_modules/.bin', name)
if (chosen.length === 0) {
  await check('types (tsc)', bin('tsc'), ['-p', '.'])
  await check('lint and format (biome)', bin('biome'), ['check', '--error-on-warnings'])
}
// All of it, bootstrap's and the lab's tools too: a ring would have to build them within its time limits.
await check('tool-chain (tools/setup.ts)', process.execPath, ['tools/setup.ts'])
for (const ring of ['unit', 'golden'].filter(wanted)) await runRing(ring)
// A lab spends half of its time waiting for what happens in it, so two rings share two cores: whoever is through takes the next.
const left = ['lab', 'lab-own', 'repo', 'tools'].filter(wanted)
const lane = async (options?: { aside: boolean }) => {
  for (let ring = left.shift(); ring !== undefined; ring = left.shift()) await runRing(ring, options)
}
await Promise.all([lane(), lane({ aside: true })])

const slowest = took.toSorted((one, other) => other.seconds - one.seconds).slice(0, 40)
console.log(
  `\nslowest files:\n${slowest.map(({ file, seconds }) => `${seconds.toFixed(0).padStart(5)} s  ${file}`).join('\n')}\n`,
)
for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exit(sum.failed === 0 ? 0 : 1)
