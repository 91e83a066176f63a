/** What the plan of an upgrade is made from: six machines of one cluster, from v1.12.11 to v1.12.12. */
import { defaultUpgradeParams, type UpgradeInput, type UpgradeParams } from '../../src/lib/ops/upgrade-input.ts'
import type { ClusterNode } from '../../src/lib/types.ts'
import { cluster } from '../unit/gates-world.ts'

export const schematic = '2d61dd07b20062062ea671b4d01873506103b67c0f7a4c3fb6cf4ee85585dcb8'

const sixNodes: ClusterNode[] = ['cp1', 'cp2', 'cp3', 'w1', 'w2', 'w3'].map((name, index) => ({
  hostname: `apps-${name}`,
  address: `10.25.13.${11 + index}`,
  controlPlane: name.startsWith('cp'),
}))

export interface Choice {
  nodes?: ClusterNode[]
  /** Version of every node, or by hostname. */
  running?: string | Record<string, string>
  leader?: string
  params?: Partial<UpgradeParams>
}

export function upgradeInput(choice: Choice = {}): UpgradeInput {
  const { nodes = sixNodes, running = 'v1.12.11', leader = 'apps-cp2', params } = choice
  const version = 'v1.12.12'
  const runs = (hostname: string) => (typeof running === 'string' ? running : (running[hostname] ?? 'v1.12.11'))
  return {
    cluster: { ...cluster(), nodes, talosVersion: version },
    target: { context: 'apps', talosconfig: 'talos/apps/clusterconfig/talosconfig' },
    nodes: nodes.map((node) => ({
      node,
      target: {
        version,
        schematic,
        image: `factory.talos.dev/metal-installer/${schematic}:${version}`,
        extensions: ['siderolabs/intel-ucode'],
      },
      runs: { version: runs(node.hostname), schematic, bootId: `boot-of-${node.hostname}` },
    })),
    leader,
    ageKey: 'op://k8s-ops/sops-age/private-key',
    operation: 'talos.upgrade/20261124T115502Z-3f9c',
    snapshotFile: '/snapshots/apps-20261124T115502Z.db',
    params: { ...defaultUpgradeParams, ...params },
  }
}
