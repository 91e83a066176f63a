import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { isMatcher, silenceBody } from '../../lib/tools/alertmanager.ts'

/** A filter for the plan of `alerts silence`, so that its step is one line that can be pasted. */
export const alertsSilenceBody = defineCommand({
  path: 'alerts silence-body',
  summary: 'Print a silence as Alertmanager takes it',
  effect: 'local',
  scope: 'none',
  args: { 'matcher...': 'label="value", label=~"regex", label!="value" or label!~"regex"' },
  options: [
    { flags: '--by <who>', description: 'owner' },
    { flags: '--comment <text>', description: 'reason' },
    { flags: '--until <time>', description: 'RFC 3339' },
  ],
  examples: ['k8sops alerts silence-body --by jane --comment why --until 2026-11-30T20:00:00Z \'alertname="X"\''],
  async run({ rest, options, out }) {
    const matchers = rest.matcher ?? []
    const wrong = matchers.filter((text) => !isMatcher(text))
    if (wrong.length > 0) throw new UsageError(`not a matcher: ${wrong.join(', ')}`)
    const [by, comment, until] = [textOption(options.by), textOption(options.comment), textOption(options.until)]
    if (!by || !comment || !until || Number.isNaN(Date.parse(until)))
      throw new UsageError('a silence needs --by, --comment and --until')
    out(silenceBody({ matchers, by, comment, from: new Date(), until: new Date(until) }))
    return undefined
  },
})
