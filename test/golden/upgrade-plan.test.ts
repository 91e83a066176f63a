/** What `k8sops talos upgrade --rolling --dry-run` shows. A change of behaviour is a change of these texts. */
import { join } from 'node:path'
import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import { planUpgrade } from '../../src/lib/ops/upgrade.ts'
import { planKubernetesUpgrade } from '../../src/lib/ops/upgrade-kubernetes.ts'
import type { Cluster, ClusterNode, Plan } from '../../src/lib/types.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { upgradeInput } from '../helpers/upgrade-input.ts'

const render = (plan: Plan, { nodes }: Cluster) =>
  renderPlan(
    plan,
    { root: 'ROOT', context: 'apps', server: undefined, talosEndpoints: nodes.map(({ address }) => address) },
    new Chalk({ level: 0 }),
  )
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const file = (name: string) => join(import.meta.dirname, 'plans', `${name}.txt`)

it('the plan of a Kubernetes upgrade is the one that was reviewed', async () => {
  const { cluster, target, ageKey, snapshotFile } = upgradeInput()
  const [node] = cluster.nodes as [ClusterNode]
  const input = { cluster, target, ageKey, snapshotFile, node, version: cluster.kubernetesVersion, timeoutSec: 3600 }
  await expect(`${render(planKubernetesUpgrade(input, basis), cluster)}\n`).toMatchFileSnapshot(file('upgrade-k8s'))
})

describe('the plan of an upgrade', () => {
  it.each([
    ['rolling', upgradeInput()],
    ['two-workers-at-a-time', upgradeInput({ params: { maxUnavailable: 2, stage: true, rebootMode: 'powercycle' } })],
    ['nothing-to-do', upgradeInput({ running: 'v1.12.12' })],
  ])('%s is the one that was reviewed', async (name, input) => {
    await expect(`${render(planUpgrade(input, basis), input.cluster)}\n`).toMatchFileSnapshot(file(`upgrade.${name}`))
  })
})
