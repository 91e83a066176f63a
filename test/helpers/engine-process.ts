/** Runs a plan in a process of its own that can be killed: `node engine-process.ts ROOT`, plan in ROOT/plan.json. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { watchSignals } from '../../src/lib/engine/interrupts.ts'
import { findResumable, listRuns } from '../../src/lib/engine/runs.ts'
import { resumeRun, startRun } from '../../src/lib/engine/start.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import type { Plan } from '../../src/lib/types.ts'
import { makeWorld, surroundings } from './engine-world.ts'

const world = makeWorld(process.argv[2]!)
const plan = JSON.parse(readFileSync(join(world.root, 'plan.json'), 'utf8')) as Plan
const { around } = surroundings(world, { interrupts: watchSignals(process) })
const { stateDir } = world.target
// Like an operator: resume what is unfinished, else begin.
const result =
  listRuns(stateDir, processes).length > 0
    ? await resumeRun(findResumable(stateDir, processes, { cluster: 'test' }), around)
    : await startRun(plan, around, { checkBasis: false })
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(result.exitCode))
