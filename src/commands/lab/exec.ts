import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { clusterOption, labChoice } from './options.ts'

export const labExec = defineCommand({
  path: 'lab exec',
  summary: "Run a command with a lab's environment, in its copy of the repository",
  effect: 'local',
  scope: 'none',
  args: { 'command...': 'the program and its arguments' },
  passThrough: true,
  options: [clusterOption],
  examples: ['k8sops lab exec -- kubectl get nodes', 'k8sops lab exec --cluster apps -- bash'],
  runbook: 'docs/runbooks/lab.md',
  async run(context) {
    const [program, ...args] = context.rest.command ?? []
    if (!program) throw new UsageError('which command?', { next: 'k8sops lab exec -- kubectl get nodes' })
    const [{ oneLab }, { labShellEnvironment }, { runForeground }] = await Promise.all([
      import('../../lib/lab/choice.ts'),
      import('../../lib/lab/shell.ts'),
      import('../../lib/exec/foreground.ts'),
    ])
    const record = await oneLab(labChoice(context), context.env)
    const env = labShellEnvironment(record, context.env)
    const exitCode = await runForeground(program, args, { cwd: record.root, env })
    if (exitCode === 127) context.note(`${program}: no such program in this lab`)
    return { kind: 'LabExec', text: '', exitCode }
  },
})
