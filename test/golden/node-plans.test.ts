/** What the operations on machines and nodes show with --dry-run. A change of behaviour is a change of these texts. */
import { join } from 'node:path'
import { Chalk } from 'chalk'
import { expect, it } from 'vitest'
import { planRestore } from '../../src/lib/ops/etcd-restore.ts'
import { planEtcdSnapshot } from '../../src/lib/ops/etcd-snapshot.ts'
import { planCordon, planDrain, planUncordon } from '../../src/lib/ops/node-hold.ts'
import { planAdd, planReplace } from '../../src/lib/ops/node-join.ts'
import { planReboot } from '../../src/lib/ops/node-reboot.ts'
import { planRemove } from '../../src/lib/ops/node-remove.ts'
import { planApply } from '../../src/lib/ops/talos-apply.ts'
import type { Cluster, Plan } from '../../src/lib/types.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { cluster as fixture } from '../unit/gates-world.ts'

const cluster: Cluster = fixture()
const [cp1, cp2, , w1] = cluster.nodes as [(typeof cluster.nodes)[0], (typeof cluster.nodes)[0], unknown, (typeof cluster.nodes)[0]]
const target = { context: 'apps', talosconfig: 'talos/apps/clusterconfig/talosconfig' }
// Commit, digest and what was observed differ from day to day.
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const maintenance = {
  cluster,
  target,
  drainTimeoutSec: 600,
  settleTimeoutSec: 1800,
  rebootTimeoutSec: 900,
}
const hold = { by: 'node.cordon/jane@desk', reason: 'memory errors', since: '2026-11-24T12:00:00.000Z' }
const view = { name: 'apps-w1', kubelet: 'v1.35.4', ready: true, schedulable: false, holder: hold.by, reason: null, since: null, resourceVersion: '4711', uid: 'u-1' }

const removal = {
  ...maintenance,
  nodes: [w1],
  node: w1,
  bootId: 'b-1',
  uid: 'u-1',
  gone: false,
  userVolumes: ['openebs'],
  write: true,
  resetTimeoutSec: 900,
  operation: 'node.remove/1',
}
const ageKey = 'op://k8s-ops/sops-age/private-key'
const ofControlPlane = { ...removal, nodes: [cp2], node: cp2, etcdMember: '8e9e05c52164694d', userVolumes: [], write: false }

const plans: [string, () => Plan][] = [
  ['node.remove', () => planRemove(removal, basis)],
  ['node.remove.control-plane-that-is-gone', () => planRemove({ ...ofControlPlane, gone: true }, basis)],
  [
    'node.replace',
    () => planReplace(ofControlPlane, { cluster, ageKey, node: cp2, nodeTimeoutSec: 900 }, basis),
  ],
  ['node.add', () => planAdd({ cluster, ageKey, node: w1, nodeTimeoutSec: 900 }, basis)],
  [
    'talos.etcd.restore',
    () =>
      planRestore(
        {
          cluster,
          target,
          snapshot: { path: '/s/apps-20261124T120000Z.db', sha256: 'abc', takenAt: new Date('2026-11-24T12:00:00Z') },
          controlPlanes: [
            { node: cp1, bootId: 'b-1', member: '8e9e05c52164694d' },
            { node: cp2, bootId: 'b-2', member: 'unknown' },
          ],
          nodeTimeoutSec: 900,
        },
        basis,
      ),
  ],
  [
    'talos.etcd.snapshot',
    () =>
      planEtcdSnapshot(
        { cluster, target, node: cp1, file: '/state/snapshots/apps-20261124T120000Z.db', keep: 10, maxAgeSec: 3600 },
        basis,
      ),
  ],
  ['node.cordon', () => planCordon({ cluster, target, nodes: [w1], hold }, basis)],
  ['node.drain', () => planDrain({ cluster, target, nodes: [w1], hold: { ...hold, by: 'node.drain/jane@desk' } }, 600, basis)],
  ['node.uncordon', () => planUncordon({ cluster, target, nodes: [view], mine: [hold.by], force: false }, basis)],
  [
    'node.reboot',
    () =>
      planReboot(
        { ...maintenance, reboots: [{ node: w1, bootId: 'b-1' }], mode: 'default', operation: 'node.reboot/1' },
        basis,
      ),
  ],
  [
    'talos.apply',
    () =>
      planApply(
        {
          ...maintenance,
          ageKey: 'op://k8s-ops/sops-age/private-key',
          nodes: [cp2],
          applies: [
            { node: cp1, effect: 'nothing', bootId: 'b-1' },
            { node: cp2, effect: 'reboot', bootId: 'b-2' },
            { node: w1, effect: 'no-reboot', bootId: 'b-3' },
          ],
          operation: 'talos.apply/1',
        },
        basis,
      ),
  ],
]

it.each(plans)('%s', async (name, plan) => {
  const around = { root: 'ROOT', context: 'apps', server: undefined, talosEndpoints: ['10.25.13.11'] }
  const text = `${renderPlan(plan(), around, new Chalk({ level: 0 }))}\n`
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, 'plans', `${name}.txt`))
})

it('uncordon refuses what somebody else holds, all at once, unless it is forced', () => {
  const nodes = [
    { ...view, name: 'apps-w1', holder: 'talos.upgrade/1' },
    { ...view, name: 'apps-w2', holder: 'Talos' },
  ]
  const input = { cluster, target, nodes, mine: [hold.by], force: false }
  expect(() => planUncordon(input, basis)).toThrowError(expect.objectContaining({ exitCode: 3 }))
  try {
    planUncordon(input, basis)
  } catch (error) {
    expect((error as { detail: { output: string } }).detail.output).toBe('apps-w1: by talos.upgrade/1\napps-w2: by Talos')
  }
  expect(planUncordon({ ...input, force: true }, basis).steps.map(({ id }) => id)).toEqual(['apps-w1/uncordon', 'apps-w2/uncordon'])
})

it('remove refuses to leave etcd without a majority', () => {
  const two = { ...cluster, nodes: cluster.nodes.filter(({ hostname }) => hostname !== 'apps-cp3') }
  expect(() => planRemove({ ...ofControlPlane, cluster: two }, basis)).toThrowError(
    expect.objectContaining({ exitCode: 3, message: 'apps would be left with 1 control plane' }),
  )
})
