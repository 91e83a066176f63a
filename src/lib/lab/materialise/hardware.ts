/**
 * The hardware of the simulated machines. Nobody told the lab what the real machines are made of, so it builds machines on
 * which the repository's talconfig works: a disk that the install selector finds, and a port for every port it names.
 * A rehearsal therefore never proves a disk selector or a hardware address.
 */
import { nodeInterfaces } from '../../config/interfaces.ts'
import type { Talconfig, TalconfigNode } from '../../config/schema.ts'
import type { MachineSpec } from '../types.ts'

type Disk = MachineSpec['disks'][number]
type Link = MachineSpec['links'][number]
type Fields = Record<string, unknown>

const gigabyte = 1e9

/** The disks and ports of one node. */
export function hardwareOf(talconfig: Talconfig, node: TalconfigNode): Pick<MachineSpec, 'disks' | 'links'> {
  return { disks: disksOf(node), links: linksOf(talconfig, node) }
}

/** One disk to install to, one small and one large NVMe: what node-local volumes and Ceph are usually given. */
function disksOf(node: TalconfigNode): Disk[] {
  const selector: Fields = node.installDiskSelector ?? {}
  const text = (key: string) => (typeof selector[key] === 'string' ? selector[key].replaceAll('*', '') : '')
  const nvme = selector.type === 'nvme' || node.installDisk?.includes('nvme') === true
  const serial = (suffix: string) => `LAB-${node.hostname}-${suffix}`.toUpperCase()
  const system: Disk = {
    path: node.installDisk ?? (nvme ? '/dev/nvme2n1' : '/dev/sda'),
    size: sizeThatFits(String(selector.size ?? '')),
    model: text('model') || (nvme ? 'LAB NVMe 480' : 'LAB SSD 480'),
    serial: text('serial') || serial('S'),
    transport: nvme ? 'nvme' : 'sata',
  }
  const [small = '', large = ''] = [0, 1, 2]
    .map((index) => `/dev/nvme${index}n1`)
    .filter((path) => path !== system.path)
  return [
    system,
    { path: small, size: 960 * gigabyte, model: 'LAB NVMe 960', serial: serial('A'), transport: 'nvme' },
    { path: large, size: 3840 * gigabyte, model: 'LAB NVMe 3840', serial: serial('B'), transport: 'nvme' },
  ]
}

const units: Record<string, number> = { M: 1e6, G: 1e9, T: 1e12, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }

/**
 * A size that a selector such as `<= 600GB` accepts: 480 GB if it does, else the size that it names, a tenth less or
 * more as its operator wants.
 */
export function sizeThatFits(condition: string): number {
  const usual = 480 * gigabyte
  const match = /^\s*(<=|>=|==|<|>)?\s*([\d.]+)\s*([MGT]i?)?B?\s*$/i.exec(condition)
  if (!match) return usual
  const [, operator = '==', digits = '0', unit = ''] = match
  const letters = unit.charAt(0).toUpperCase() + unit.slice(1).toLowerCase()
  const size = Number(digits) * (units[letters] ?? 1)
  if (operator === '==') return size
  const fits = operator.startsWith('<') ? usual < size : usual > size
  if (fits) return usual
  return Math.round(size * (operator.startsWith('<') ? 0.9 : 1.1))
}

/** The ports that bonds and interfaces name, by selector or by name; a node that names none has one. */
function linksOf(talconfig: Talconfig, node: TalconfigNode): Link[] {
  const links: Link[] = []
  const add = (selector: Fields, name?: string) => {
    const index = links.length
    const address = selector.permanentAddr ?? selector.hardwareAddr
    links.push({
      name: name ?? `enp${index + 1}s0`,
      hardwareAddress: typeof address === 'string' && !address.includes('*') ? address : generatedAddress(node, index),
      driver: typeof selector.driver === 'string' ? selector.driver : 'i40e',
    })
  }
  for (const { value } of nodeInterfaces(talconfig, node)) {
    const fields: Fields = value
    const bond = fields.bond as { interfaces?: string[]; deviceSelectors?: Fields[] } | undefined
    for (const selector of bond?.deviceSelectors ?? []) add(selector)
    for (const name of bond?.interfaces ?? []) add({}, name)
    if (!bond && fields.deviceSelector) add(fields.deviceSelector as Fields)
    else if (!bond && value.interface) add({}, value.interface)
  }
  if (links.length === 0) add({})
  return links
}

/** Locally administered, and different for every port of every node. */
function generatedAddress(node: TalconfigNode, index: number): string {
  const octets = (node.ipAddress.split(',')[0] ?? '').trim().split('.').map(Number)
  return [0x02, 0xfe, index, octets[1] ?? 0, octets[2] ?? 0, octets[3] ?? 0]
    .map((octet) => octet.toString(16).padStart(2, '0'))
    .join(':')
}
