import { defineCommand } from '../../lib/cli/define.ts'
import { runNames } from '../../lib/cli/run-names.ts'
import { pickRun, renderRun, stepsOf, storedRuns } from '../../lib/cli/stored-runs.ts'
import type { Json } from '../../lib/types.ts'

export const runShow = defineCommand({
  path: 'run show',
  summary: 'Show one run: its steps, its journal, its logs',
  effect: 'read',
  scope: 'cluster',
  completeArgs: { id: runNames },
  args: { 'id?': 'run id, or the beginning of one (default: the newest run)' },
  examples: ['k8sops run show', 'k8sops run show bootstrap-apps-20261123T181502-3f9c -o json'],
  async read(context) {
    const run = pickRun(await storedRuns(context), context.args.id)
    const { id, state, dir: directory, startedAt, plan, journal, result = null } = run
    return {
      kind: 'Run',
      fields: { id, state, directory, startedAt, ...asJson({ plan, steps: stepsOf(run), journal, result }) },
      text: renderRun(run),
    }
  },
})

const asJson = (value: object) => JSON.parse(JSON.stringify(value)) as { [key: string]: Json }
