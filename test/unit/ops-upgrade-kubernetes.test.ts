import { expect, it } from 'vitest'
import { gates } from '../../src/lib/gates/catalog.ts'
import { fillGate } from '../../src/lib/gates/fill.ts'
import type { Gate } from '../../src/lib/gates/types.ts'
import {
  type KubernetesUpgradeInput,
  planKubernetesUpgrade,
  proposedEdit,
} from '../../src/lib/ops/upgrade-kubernetes.ts'
import { upgradeInput } from '../helpers/upgrade-input.ts'

const basis = { commit: 'c', digest: 'd', observed: {} }
const inputOf = (version: string): KubernetesUpgradeInput => {
  const { cluster, target, ageKey, snapshotFile } = upgradeInput()
  return { cluster, target, ageKey, snapshotFile, version, node: cluster.nodes[0]!, timeoutSec: 3600 }
}
const ids = (version: string) => planKubernetesUpgrade(inputOf(version), basis).steps.map(({ id }) => id)

it('leaves the work to talosctl, starts it again when it is silent, and reads back what runs', () => {
  const plan = planKubernetesUpgrade(inputOf('v1.35.5'), basis)
  const step = plan.steps.find(({ id }) => id === 'kubernetes/upgrade')
  expect(step).toMatchObject({
    unless: [{ gate: 'kubernetes-at', params: { version: 'v1.35.5' } }],
    verify: [{ gate: 'kubernetes-at', params: { version: 'v1.35.5' } }],
    action: { stall: { afterSec: 300, attempts: 3 }, pipeline: [{ tool: 'talosctl' }] },
  })
  const args = step?.action.kind === 'exec' ? (step.action.pipeline[0]?.args ?? []) : []
  expect(args.slice(-5)).toEqual(['upgrade-k8s', '--to', '1.35.5', '--with-docs=false', '--with-examples=false'])
  for (const { gate, params } of plan.steps.flatMap(({ require = [], unless = [], verify }) => [
    ...require,
    ...unless,
    ...verify,
  ]))
    expect(() => fillGate(gate, (gates as Record<string, Gate>)[gate]!, params ?? {}), gate).not.toThrow()
})

it('gives the machines the configs of Git when Git names the version, and else proposes the edit', () => {
  expect(ids('v1.35.4')).toContain('apps-cp1/apply-config')
  expect(ids('v1.35.5')).not.toContain('apps-cp1/apply-config')
  const talconfig = 'clusterName: apps\nkubernetesVersion: v1.35.4\nendpoint: x\n'
  expect(proposedEdit('talos/apps/talconfig.yaml', talconfig, 'v1.35.4')).toBeUndefined()
  expect(proposedEdit('talos/apps/talconfig.yaml', talconfig, 'v1.35.5')).toBe(
    [
      '--- a/talos/apps/talconfig.yaml',
      '+++ b/talos/apps/talconfig.yaml',
      '@@ -2 +2 @@',
      '-kubernetesVersion: v1.35.4',
      '+kubernetesVersion: v1.35.5',
    ].join('\n'),
  )
})
