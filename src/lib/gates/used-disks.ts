/** What an earlier cluster left on the disks of a machine that waits for its first config. Pure. */
import type { TalosResource } from '../types.ts'

export interface UsedDisk {
  /** As `talosctl wipe disk` takes it: `nvme1n1`, `sda6`. */
  device: string
  /** What is on it, for people. */
  content: string
}

/**
 * Rook takes no disk that holds an OSD of another cluster, and its monitors refuse to start on the /var/lib/rook of one; etcd refuses to be
 * bootstrapped on old data. Both directories are on the partition EPHEMERAL, which a new config keeps (Talos 1.12).
 * @param volumes DiscoveredVolumes, as `talosctl get discoveredvolumes` shows them
 */
export function usedDisks(volumes: TalosResource[]): UsedDisk[] {
  return volumes
    .flatMap(({ metadata, spec }): UsedDisk[] => {
      if (spec.name === 'bluestore') return [{ device: metadata.id, content: 'a Ceph OSD' }]
      if (spec.partition_label !== 'EPHEMERAL') return []
      return [{ device: metadata.id, content: 'EPHEMERAL, with /var/lib/rook and /var/lib/etcd' }]
    })
    .toSorted((left, right) => left.device.localeCompare(right.device))
}
