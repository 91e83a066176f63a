/** What a test of the network shows with --dry-run: without the cilium CLI, and with it after a test that was killed. */
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { planConnectivity } from '../../src/lib/ops/connectivity.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster = fixture()
const input = {
  cluster,
  target: { context: 'apps' },
  at: '2026-11-30T11:00:00Z',
  strays: [],
  probes: {
    suite: 'quick' as const,
    image: 'ghcr.io/example/k8sops:1',
    token: 'connectivity.test/20261130T110000Z-00ff',
    windowSec: 60,
    mtu: 8920,
    insideServer: '10.25.10.30',
    outsideServer: '1.1.1.1',
    outsideAddress: '10.25.28.2',
    egress: ['https://r2.example'],
  },
  served: { routes: ['nodes'], announcements: ['services'] },
}
const note = {
  id: 'connectivity.test/20261130T110000Z-00ff',
  owner: 'jane@desk',
  reason: 'cilium connectivity test',
  since: '2026-11-30T11:00:00Z',
  until: '2026-11-30T12:10:00Z',
  scope: 'policy/cilium-test-1',
}
const cilium = { junitFile: '.k8sops/connectivity.test-20261130T110000Z-00ff.xml', note, timeoutSec: 3600 }
const strays = ['cilium-test-1', 'k8sops-connectivity']
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }

it.each([
  ['connectivity.test', planConnectivity(input, basis)],
  ['connectivity.test-with-cilium', planConnectivity({ ...input, cilium, strays }, basis)],
])('%s', async (name, plan) => {
  const around = { root: '/repo', context: 'apps', server: cluster.endpoint, talosEndpoints: cluster.nodes.map(({ address }) => address) }
  await expect(renderPlan(plan, around, new Chalk({ level: 0 }))).toMatchFileSnapshot(`./plans/${name}.txt`)
  const removing = plan.steps.filter(({ always }) => always).map(({ id }) => id)
  expect(removing).toEqual(name.endsWith('cilium') ? ['cilium/clean', 'probes/clean'] : ['probes/clean'])
})
