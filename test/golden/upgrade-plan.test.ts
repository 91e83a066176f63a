/** What `k8sops talos upgrade --rolling --dry-run` shows. A change of behaviour is a change of these texts. */
import { join } from 'node:path'
import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import { planUpgrade } from '../../src/lib/ops/upgrade.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { upgradeInput } from '../helpers/upgrade-input.ts'

describe('the plan of an upgrade', () => {
  it.each([
    ['rolling', upgradeInput()],
    ['two-workers-at-a-time', upgradeInput({ params: { maxUnavailable: 2, stage: true, rebootMode: 'powercycle' } })],
    ['nothing-to-do', upgradeInput({ running: 'v1.12.12' })],
  ])('%s is the one that was reviewed', async (name, input) => {
    const plan = planUpgrade(input, { commit: 'COMMIT', digest: 'DIGEST', observed: {} })
    const around = {
      root: 'ROOT',
      context: 'apps',
      server: undefined,
      talosEndpoints: input.cluster.nodes.map(({ address }) => address),
    }
    await expect(`${renderPlan(plan, around, new Chalk({ level: 0 }))}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, 'plans', `upgrade.${name}.txt`),
    )
  })
})
