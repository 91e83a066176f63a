import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'

export const runExec = defineCommand({
  path: 'run exec',
  summary: 'Run a saved plan, if nothing it was made from has moved',
  description:
    'Runs a plan that --plan-out saved: the very steps that were reviewed. Refuses (exit 3) when the files or pinned tools that it was made from are not the same any more.',
  effect: 'run',
  args: { file: 'plan as JSON, from --plan-out' },
  examples: ['k8sops bootstrap --cluster apps --plan-out plan.json', 'k8sops run exec plan.json'],
  async source({ args, cwd, options }) {
    const file = resolve(cwd, args.file!)
    const text = await readFile(file, 'utf8').catch((cause: Error) => {
      throw new UsageError(`cannot read ${file}: ${cause.message}`)
    })
    const { parsePlan } = await import('../../lib/cli/plan-file.ts')
    const plan = parsePlan(text, file)
    if (typeof options.cluster === 'string' && options.cluster !== plan.cluster)
      throw new UsageError(`${file} is a plan for cluster ${plan.cluster}, not ${options.cluster}`)
    return { plan }
  },
})
