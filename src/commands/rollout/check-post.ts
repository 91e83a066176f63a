import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { ToolError, UsageError } from '../../lib/errors.ts'
import { githubAccess, postCheck } from '../../lib/tools/github.ts'

/** A step of the rollout's plans: curl would have the token among its arguments. */
export const rolloutCheckPost = defineCommand({
  path: 'rollout check-post',
  summary: 'Put a check on a commit at GitHub',
  effect: 'local',
  scope: 'none',
  args: { commit: 'that was released' },
  options: [
    { flags: '--repository <owner/name>', description: 'at GitHub' },
    { flags: '--id <id>', description: 'digest of the attestation' },
    { flags: '--title <text>', description: 'what is shown first' },
    { flags: '--summary <text>', description: 'what is shown below it' },
  ],
  examples: [
    'k8sops rollout check-post 3f9c1a2... --repository monosense-io/k8s-ops --id sha256:... --title "soaked 24 h" --summary ""',
  ],
  async run({ args, options, env, signal, out }) {
    const access = githubAccess(env)
    if (!access) throw new UsageError('there is no GITHUB_TOKEN')
    const [repository = '', id = '', title = '', summary = ''] = [
      textOption(options.repository),
      textOption(options.id),
      textOption(options.title),
      textOption(options.summary),
    ]
    const posted = await postCheck(access, { repository, commit: args.commit ?? '', id, title, summary }, signal)
    if (!posted.ok)
      throw new ToolError('GitHub has not taken the check', {
        output: posted.detail,
        next: 'it takes the token of an App with checks: write (in Actions: permissions: checks: write); without GITHUB_TOKEN none is sent',
      })
    out(`${repository}: check on ${(args.commit ?? '').slice(0, 9)}`)
    return undefined
  },
})
