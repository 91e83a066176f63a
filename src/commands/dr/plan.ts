import { cell, defineCommand } from '../../lib/cli/define.ts'
import { sourceOptions } from '../../lib/cli/source-options.ts'
import { exitCodes } from '../../lib/errors.ts'
import { recoveryTargetSec } from '../../lib/ops/dr-estimate.ts'
import { recoveryRunbook } from '../../lib/ops/used-machines.ts'
import type { Json } from '../../lib/types.ts'
import { observeBootstrap } from '../bootstrap.ts'
import { recoveryNeeds } from './needs.ts'
import { observeRecovery } from './observe.ts'

const minutes = (seconds: number): string => `${Math.ceil(seconds / 60)} min`

export const drPlan = defineCommand({
  path: 'dr plan',
  summary: 'Tell what a recovery of a cluster needs, what it brings back, and how long that takes',
  description:
    'Nothing is changed, and the cluster need not answer. Times are those of the last runs on this machine or of restore drills, while the cluster tells; else what the requirements allow (30 minutes for a bootstrap; their table of restore times, by the size of a volume, which is more than what is in it). `dr run --dry-run` shows the steps. Exit code 3 when something that is needed is missing, or disks hold an earlier cluster.',
  effect: 'read',
  scope: 'cluster',
  options: [...sourceOptions],
  examples: ['k8sops dr plan --cluster apps', 'k8sops dr plan --cluster infra -o json'],
  runbook: recoveryRunbook,
  async read(context) {
    const [{ verdicts, used, blind }, seen] = await Promise.all([
      observeBootstrap(context, true),
      observeRecovery(context),
    ])
    const needs = recoveryNeeds(seen, { verdicts, used, blind, now: context.now() })
    const { parts, lowSec, highSec } = seen.time
    const fits = highSec <= recoveryTargetSec ? 'yes' : lowSec <= recoveryTargetSec ? 'perhaps' : 'no'
    const items: { [key: string]: Json }[] = [
      ...needs.map(({ name, state, detail, next }) => ({ what: 'need', name, state, detail, next: next ?? null })),
      ...parts.map(({ name, seconds, from }) => ({
        what: 'part',
        name,
        state: minutes(seconds),
        detail: from,
        seconds,
        next: null,
      })),
      {
        what: 'time',
        name: 'all of it',
        state: `${minutes(lowSec)} to ${minutes(highSec)}`,
        next: null,
        detail: `restores side by side, or one after the other; within ${minutes(recoveryTargetSec)} (NFR20): ${fits}`,
      },
    ]
    return {
      kind: 'RecoveryPlan',
      items,
      columns: [
        { title: 'what', value: cell('what') },
        { title: 'name', value: cell('name') },
        { title: 'state', value: cell('state') },
        { title: 'detail', value: cell('detail') },
        { title: 'next', value: cell('next'), wide: true },
      ],
      fields: { targetSec: recoveryTargetSec, leastSec: lowSec, mostSec: highSec, fits },
      exitCode: needs.some(({ state }) => state === 'missing') ? exitCodes.gate : exitCodes.ok,
    }
  },
})
