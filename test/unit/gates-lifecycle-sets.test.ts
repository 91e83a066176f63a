import { expect, it } from 'vitest'
import { describeCheck } from '../../src/lib/exec/render.ts'
import {
  afterNode,
  afterUpgrade,
  beforeNode,
  beforeUpgrade,
  type LifecycleFacts,
} from '../../src/lib/gates/lifecycle-sets.ts'
import { cluster } from './gates-world.ts'

const apps = cluster()
const [cp1, , , w1] = apps.nodes
const target = (bootId: string) => ({
  version: 'v1.12.12',
  schematic: 'ab12',
  image: 'factory.talos.dev/metal-installer/ab12:v1.12.12',
  extensions: ['siderolabs/intel-ucode', 'siderolabs/nfsd'],
  bootId,
})
const facts: LifecycleFacts = {
  cluster: apps,
  targets: { 'apps-cp1': target('boot-a'), 'apps-w1': target('boot-b') },
  snapshot: { path: '.k8sops/snapshots/apps.db', maxAgeSec: 3600 },
}
const lines = (checks: Parameters<typeof describeCheck>[0][]) => checks.map(describeCheck).join('\n')

it('asks for everything before the start, once for what nodes share', () => {
  expect(lines(beforeUpgrade(facts))).toMatchInlineSnapshot(`
    "cluster-identity
    client-certificates-valid days=1
    inventory-matches
    version-path nodes=10.25.13.11,10.25.13.14 to=v1.12.12 downgrade=false
    installer-image image=factory.talos.dev/metal-installer/ab12:v1.12.12
    extensions-kept nodes=10.25.13.11,10.25.13.14 extensions=intel-ucode,nfsd
    machines-ready nodes=10.25.13.11,10.25.13.12,10.25.13.13,10.25.13.14
    etcd-healthy nodes=10.25.13.11,10.25.13.12,10.25.13.13 members=apps-cp1,apps-cp2,apps-cp3
    api-ready servers=https://10.25.13.11:6443,https://10.25.13.12:6443,https://10.25.13.13:6443
    nodes-schedulable names=apps-cp1,apps-cp2,apps-cp3,apps-w1
    daemonset-ready namespace=kube-system name=cilium
    deployment-available namespace=kube-system name=coredns
    ceph-healthy expect=1 tolerate=
    cnpg-healthy expect=1
    flux-settled
    backups-idle expect=1
    no-other-upgrader
    pdbs-allow node=apps-cp1
    pdbs-allow node=apps-w1"
  `)
})

it('asks for the rolling part before each node, of the other nodes', () => {
  expect(lines(beforeNode(facts, w1!))).toMatchInlineSnapshot(`
    "machines-ready nodes=10.25.13.11,10.25.13.12,10.25.13.13
    etcd-healthy nodes=10.25.13.11,10.25.13.12,10.25.13.13 members=apps-cp1,apps-cp2,apps-cp3
    etcd-snapshot-fresh path=.k8sops/snapshots/apps.db maxAgeSec=3600
    nodes-schedulable names=apps-cp1,apps-cp2,apps-cp3
    ceph-healthy expect=1 tolerate=
    cnpg-healthy expect=1
    pdbs-allow node=apps-w1
    backups-idle expect=1
    no-other-upgrader"
  `)
})

it('asks a node that came back for what it runs, and everything for half a minute', () => {
  expect(lines(afterNode(facts, cp1!))).toMatchInlineSnapshot(`
    "node-upgraded node=10.25.13.11 version=v1.12.12 schematic=ab12 bootId=boot-a for 30 s
    node-ready-version name=apps-cp1 osImage=Talos (v1.12.12) for 30 s
    machines-ready nodes=10.25.13.11 for 30 s
    etcd-healthy nodes=10.25.13.11,10.25.13.12,10.25.13.13 members=apps-cp1,apps-cp2,apps-cp3 for 30 s
    api-ready servers=https://10.25.13.11:6443 for 30 s
    ceph-healthy expect=1 tolerate= for 30 s
    cnpg-healthy expect=1 for 30 s
    pods-ready-on-node name=apps-cp1 for 30 s"
  `)
  const rebooted = afterNode({ cluster: apps }, w1!)
  expect(rebooted.map(({ gate }) => gate)).toEqual(expect.arrayContaining(['nodes-ready', 'machines-ready']))
  expect(rebooted.map(({ gate }) => gate)).not.toContain('node-upgraded')
})

it('asks for the whole cluster again at the end', () => {
  expect(lines(afterUpgrade(facts))).toMatchInlineSnapshot(`
    "versions-equal nodes=10.25.13.11,10.25.13.14 version=v1.12.12
    inventory-matches
    machines-ready nodes=10.25.13.11,10.25.13.12,10.25.13.13,10.25.13.14
    etcd-healthy nodes=10.25.13.11,10.25.13.12,10.25.13.13 members=apps-cp1,apps-cp2,apps-cp3
    api-ready servers=https://10.25.13.11:6443,https://10.25.13.12:6443,https://10.25.13.13:6443
    nodes-schedulable names=apps-cp1,apps-cp2,apps-cp3,apps-w1
    daemonset-ready namespace=kube-system name=cilium
    deployment-available namespace=kube-system name=coredns
    ceph-healthy expect=1 tolerate=
    cnpg-healthy expect=1
    flux-settled
    backups-idle expect=1
    no-other-upgrader
    machine-configs-applied nodes=10.25.13.11,10.25.13.14"
  `)
})
