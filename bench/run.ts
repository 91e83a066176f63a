/** `npm run bench [-- start-up|bootstrap|onboarding|backup|flux|gates|netpol|forecast|status|upgrade|validate|query|secrets]`: every figure of the project, as ratios in one run, and a table of them in bench/results.md. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { benchBackup } from './backup.ts'
import { benchBootstrap } from './bootstrap.ts'
import { benchFlux } from './flux.ts'
import { benchForecast } from './forecast.ts'
import { benchGates } from './gates.ts'
import { root, rows } from './measure.ts'
import { benchNetpol } from './netpol.ts'
import { benchOnboarding } from './onboarding.ts'
import { benchQuery } from './query.ts'
import { benchSecrets } from './secrets.ts'
import { benchStartUp } from './start-up.ts'
import { benchStatus } from './status.ts'
import { benchUpgrade } from './upgrade.ts'
import { benchValidate } from './validate.ts'

const benches: Record<string, () => void | Promise<void>> = {
  'start-up': benchStartUp,
  bootstrap: benchBootstrap,
  onboarding: benchOnboarding,
  backup: benchBackup,
  flux: benchFlux,
  gates: benchGates,
  netpol: benchNetpol,
  forecast: benchForecast,
  status: benchStatus,
  upgrade: benchUpgrade,
  validate: benchValidate,
  query: benchQuery,
  secrets: benchSecrets,
}
const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(`no such bench: ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
const { stdout: commit } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' })
const when = `${new Date().toISOString().slice(0, 10)}, ${commit.trim()}`
for (const [name, bench] of Object.entries(benches)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  // A figure of a machine that others use says little without it.
  const load = loadavg()[0]?.toFixed(1) ?? ''
  console.log(`${name}, at a load of ${load} on ${availableParallelism()} cores`)
  const before = rows.length
  await bench()
  const told = rows
    .slice(before)
    .map(({ what, figure, target, met }) => [what, figure, target, met ? 'met' : '**missed**', load, when])
  keep(name, told)
}

/** Writes what a bench found into bench/results.md, in place of what it found before. */
function keep(name: string, found: string[][]): void {
  const file = join(root, 'bench/results.md')
  const head = `# Results of \`npm run bench\`

${cpus()[0]?.model.trim()}, ${availableParallelism()} cores

| bench | what | figure | target | | load before | when, commit |
|---|---|---|---|---|---|---|
`
  const others = existsSync(file) ? (readFileSync(file, 'utf8').match(/^\| [a-z].*$/gm) ?? []) : []
  // The first is the head.
  const lines = [
    ...others.slice(1).filter((line) => !line.startsWith(`| ${name} |`)),
    ...found.map((cells) => `| ${[name, ...cells].join(' | ')} |`),
  ]
  const order = Object.keys(benches)
  const place = (line: string) => order.indexOf(line.split(' | ')[0]?.slice(2) ?? '')
  writeFileSync(file, `${head}${lines.toSorted((one, other) => place(one) - place(other)).join('\n')}\n`)
}
