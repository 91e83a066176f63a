/** What fault `disks-used` leaves on a machine's disks (block.DiscoveredVolumeSpec, v1.12.0), and how that goes away. */
import { basename } from 'node:path'
import { inMaintenance, type SimulatedMachine } from './simulated-machine.ts'
import { StatusError } from './status.ts'

interface DiscoveredVolume {
  /** Id of the resource, without `/dev/`. */
  device: string
  dev_path: string
  type: 'disk' | 'partition'
  size: number
  name: string
  partition_label?: string
  parent_dev_path?: string
}

/** Every disk, and what the fault puts there on a machine without a config: an OSD on the largest one, a partition on the first. */
export function discoveredVolumes(machine: SimulatedMachine): DiscoveredVolume[] {
  const { disks } = machine.spec
  const [system] = disks
  const largest = disks.toSorted((a, b) => b.size - a.size)[0]
  const isUsed = (path: string) =>
    machine.fault('disks-used') !== undefined &&
    inMaintenance(machine) &&
    machine.record.wiped?.includes(basename(path)) !== true
  const found: Omit<DiscoveredVolume, 'device'>[] = disks.map((disk) => ({
    dev_path: disk.path,
    type: 'disk',
    size: disk.size,
    name: disk === largest && isUsed(disk.path) ? 'bluestore' : '',
  }))
  const partition = system && `${system.path}${/\d$/.test(system.path) ? 'p' : ''}6`
  if (system && partition && isUsed(partition))
    found.push({
      dev_path: partition,
      type: 'partition',
      size: system.size,
      name: 'xfs',
      partition_label: 'EPHEMERAL',
      parent_dev_path: system.path,
    })
  return found.map((volume) => ({ device: basename(volume.dev_path), ...volume }))
}

/** @throws StatusError for a device that is not there */
export function wipeDevice(machine: SimulatedMachine, device: string): void {
  const known = discoveredVolumes(machine).some((volume) => volume.device === device)
  if (!known) throw new StatusError('NotFound', `blockdevice ${JSON.stringify(device)} not found`)
  machine.kernelLog.write(`wiping block device ${device}`)
  machine.record.wiped = [...(machine.record.wiped ?? []), device]
  machine.changed()
}
