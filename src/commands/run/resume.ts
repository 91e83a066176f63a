import { defineCommand } from '../../lib/cli/define.ts'
import { runNames } from '../../lib/cli/run-names.ts'
import { resumableRun } from '../../lib/cli/stored-runs.ts'

export const runResume = defineCommand({
  path: 'run resume',
  summary: 'Go on with a run that was stopped',
  description:
    'Goes on with a run that was interrupted, failed, or whose process was killed, on this or another terminal of this machine. What is done already, as live state shows it, is skipped. Without ID: the unfinished run of the cluster.',
  effect: 'run',
  completeArgs: { id: runNames },
  args: { 'id?': 'run id (default: the unfinished run of the cluster)' },
  examples: ['k8sops run resume --cluster apps', 'k8sops run resume bootstrap-apps-20261123T181502-3f9c'],
  async source(context) {
    return { stored: await resumableRun(context, context.args.id) }
  },
})
