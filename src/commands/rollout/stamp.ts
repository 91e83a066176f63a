import { defineCommand } from '../../lib/cli/define.ts'
import { nowMark } from '../../lib/ops/rollout/attestation.ts'

/** A filter for plans of the rollout, so that a step is one line that can be pasted. */
export const rolloutStamp = defineCommand({
  path: 'rollout stamp',
  summary: 'Print a text with the time in it',
  effect: 'local',
  scope: 'none',
  args: { text: `${nowMark} stands for the time` },
  examples: [`k8sops rollout stamp '{"readyAt": "${nowMark}"}'`],
  async run({ args, out, now }) {
    out((args.text ?? '').replaceAll(nowMark, new Date(now()).toISOString()))
    return undefined
  },
})
