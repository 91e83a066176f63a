/** What `dr run --dry-run` shows. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { planRecovery } from '../../src/lib/ops/dr.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { recoveryInput } from '../unit/dr-world.ts'

it('dr.run', async () => {
  const input = recoveryInput()
  const plan = planRecovery(input, { commit: 'COMMIT', digest: 'DIGEST', observed: {} })
  const talosEndpoints = input.cluster.nodes.map(({ address }) => address)
  const around = { root: '/repo', context: 'apps', server: input.cluster.endpoint, talosEndpoints }
  await expect(renderPlan(plan, around, new Chalk({ level: 0 }))).toMatchFileSnapshot('./plans/dr.run.txt')
})
