/** `node rollout-process.ts PLACE.json CHECKOUT ARGS...`: the command line over the clusters of rollout-clusters.ts, in a process that can be killed. */
import { readFileSync } from 'node:fs'
import { commands, topics } from '../../src/commands/index.ts'
import { runCommandLine } from '../../src/lib/cli/adapter.ts'
import { type RolloutPlace, servicesAt } from './rollout-clusters.ts'

const [place = '', checkout = '', ...args] = process.argv.slice(2)
process.exitCode = await runCommandLine(args, {
  version: '1.2.3',
  entries: commands,
  topics,
  services: servicesAt(JSON.parse(readFileSync(place, 'utf8')) as RolloutPlace, checkout),
  env: process.env,
  cwd: checkout,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  signals: process,
})
