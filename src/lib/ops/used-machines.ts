/** Machines that wait for their first config and still hold an earlier cluster: what there is, and what is to be done about it. */
import { GateError } from '../errors.ts'
import { type UsedDisk, usedDisks } from '../gates/used-disks.ts'
import { wipeDisksArgs } from '../tools/talosctl.args.ts'
import type { Cluster, ClusterNode, Json, TalosPort } from '../types.ts'

export const recoveryRunbook = 'docs/runbooks/disaster-recovery.md'

export interface UsedMachine {
  node: ClusterNode
  disks: UsedDisk[]
}

/**
 * A machine that does not tell is left out: the plan asks once more before anything is written to a machine.
 * @param states by hostname, as bootstrap has seen them
 */
export async function observeUsedDisks(
  talos: TalosPort,
  cluster: Cluster,
  states: Record<string, Json>,
  signal: AbortSignal,
): Promise<UsedMachine[]> {
  const waiting = cluster.nodes.filter(({ hostname }) => states[hostname] === 'maintenance')
  const found = await Promise.all(
    waiting.map(async (node) => {
      const read = await talos.discoveredVolumes(node.address, signal)
      return { node, disks: read.ok ? usedDisks(read.value) : [] }
    }),
  )
  return found.filter(({ disks }) => disks.length > 0)
}

export const usedFacts = (used: UsedMachine[]): Record<string, Json> =>
  Object.fromEntries(
    used.map(({ node, disks }) => [node.hostname, disks.map(({ device, content }) => `${device}: ${content}`)]),
  )

/** Exit 3: a bootstrap would end in a Ceph without OSDs, or an etcd that can't begin. */
export const usedRefusal = (cluster: string, used: UsedMachine[]): GateError =>
  new GateError(`disks of ${used.length} machines of ${cluster} hold data of an earlier cluster`, {
    output: used
      .flatMap(({ node, disks }) => disks.map(({ device, content }) => `${node.hostname}: ${device} holds ${content}`))
      .join('\n'),
    next: [
      `k8sops dr run --cluster ${cluster} --destroy-disk-data wipes them; by hand:`,
      ...used.map(
        ({ node, disks }) =>
          `talosctl ${wipeDisksArgs(
            node.address,
            disks.map(({ device }) => device),
          ).args.join(' ')}`,
      ),
    ].join('\n'),
    runbook: recoveryRunbook,
  })
