/** What initializing OpenBao shows with --dry-run. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { planOpenbaoInit } from '../../src/lib/ops/openbao-init.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

it('platform.openbao-init', async () => {
  const cluster = fixture()
  const input = {
    cluster,
    target: { context: 'infra' },
    pod: { namespace: 'arsipq-platform', name: 'openbao-0' },
    item: 'openbao-init',
    vault: 'k8s-infra',
    template: 'bootstrap/infra/openbao.tpl',
  }
  const plan = planOpenbaoInit(input, { commit: 'COMMIT', digest: 'DIGEST', observed: {} })
  const around = { root: '/repo', context: 'infra', server: cluster.endpoint, talosEndpoints: cluster.nodes.map(({ address }) => address) }
  await expect(renderPlan(plan, around, new Chalk({ level: 0 }))).toMatchFileSnapshot('./plans/platform.openbao-init.txt')
})
