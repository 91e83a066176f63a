/** What is on a machine's disks (block.DiscoveredVolumeSpec, v1.12.0): the lab's OSD, what fault `disks-used` leaves, and how that goes away. */
import { basename } from 'node:path'
import { cephMap } from '../operators/ceph-map.ts'
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

/**
 * Every disk. An OSD is on the largest one, as long as the node has one or has not lost what a purged one has left; the fault puts one there on a
 * machine without a config, and a partition on the first.
 */
export function discoveredVolumes(machine: SimulatedMachine): DiscoveredVolume[] {
  const { disks } = machine.spec
  const [system] = disks
  const largest = largestOf(machine)
  const isUsed = (path: string) =>
    machine.fault('disks-used') !== undefined &&
    inMaintenance(machine) &&
    machine.record.wiped?.includes(basename(path)) !== true
  const found: Omit<DiscoveredVolume, 'device'>[] = disks.map((disk) => ({
    dev_path: disk.path,
    type: 'disk',
    size: disk.size,
    name: disk === largest && (isUsed(disk.path) || carriesOsd(machine)) ? 'bluestore' : '',
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

const largestOf = ({ spec: { disks } }: SimulatedMachine) => disks.toSorted((a, b) => b.size - a.size)[0]
const nodeOf = ({ machine }: SimulatedMachine): string => machine.config?.hostname ?? ''
const carriesOsd = (machine: SimulatedMachine): boolean => {
  const { hosts, left } = cephMap(machine.lab)
  return hosts.has(nodeOf(machine)) || left.has(nodeOf(machine))
}

/** @throws StatusError for a device that is not there, or that an OSD has open */
export function wipeDevice(machine: SimulatedMachine, device: string): void {
  const known = discoveredVolumes(machine).some((volume) => volume.device === device)
  if (!known) throw new StatusError('NotFound', `blockdevice ${JSON.stringify(device)} not found`)
  const map = cephMap(machine.lab)
  if (device === basename(largestOf(machine)?.path ?? '')) {
    if (map.hosts.has(nodeOf(machine)))
      throw new StatusError('FailedPrecondition', `blockdevice ${JSON.stringify(device)} is in use by disk holders`)
    map.left.delete(nodeOf(machine))
  }
  machine.kernelLog.write(`wiping block device ${device}`)
  machine.record.wiped = [...(machine.record.wiped ?? []), device]
  machine.changed()
}
