import { completeApp } from '../../lib/cli/app-option.ts'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { chosenApps } from '../../lib/ops/flux-choice.ts'
import { type LogRequest, logsArgs } from '../../lib/tools/kubectl-flux.args.ts'
import { observeHoldable } from './holding.ts'

export const fluxLogs = defineCommand({
  path: 'flux logs',
  summary: "Show what Flux' controllers say, about everything or about one application",
  effect: 'local',
  scope: 'cluster',
  args: { 'app?': 'application (default: everything)' },
  completeArgs: completeApp,
  options: [
    { flags: '--since <duration>', description: 'how far back', default: '30m' },
    { flags: '--level <level>', description: 'only lines of this level', choices: ['debug', 'info', 'error'] },
    { flags: '-f, --follow', description: 'go on until Ctrl-C', default: false },
  ],
  examples: ['k8sops flux logs coredns --cluster apps', 'k8sops flux logs --level error --since 2h -f'],
  runbook: 'docs/runbooks/flux.md',
  async run(context) {
    const { args, options } = context
    const [target, exec] = await Promise.all([context.target(), context.exec()])
    const level = textOption(options.level)
    const which = { since: String(options.since), follow: options.follow === true, ...(level ? { level } : {}) }
    let exitCode = 0
    // flux takes one object at a time; following several would be several terminals.
    for (const request of await requestsOf(args.app === undefined ? undefined : args.app)) {
      const ended = await exec({ pipeline: [logsArgs(target.context, request)], foreground: true })
      exitCode ||= ended.exitCode ?? 1
      if (which.follow) break
    }
    return { kind: 'FluxLogs', text: '', exitCode }

    async function requestsOf(app: string | undefined): Promise<LogRequest[]> {
      if (app === undefined) return [which]
      const [chosen] = chosenApps((await observeHoldable(context)).views, [app])
      return (chosen?.objects ?? []).map(({ kind, namespace, name }) => ({ kind, namespace, name, ...which }))
    }
  },
})
