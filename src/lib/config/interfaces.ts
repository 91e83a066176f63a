/** Reads a node's addresses and network interfaces out of talconfig the way talhelper v3.1 combines nodes and groups. */
import type { NetworkInterface, Talconfig, TalconfigNode } from './schema.ts'

/** The address that commands go to: the first of talhelper's comma-separated list. */
export function firstAddress(node: { ipAddress: string }): string {
  return addresses(node)[0] ?? ''
}

/** All addresses of a node. */
export function addresses(node: { ipAddress: string }): string[] {
  return node.ipAddress
    .split(',')
    .map((address) => address.trim())
    .filter(Boolean)
}

export interface NodeInterface {
  value: NetworkInterface
  /** Where it stands in talconfig.yaml: in the node, or in the group that the node inherits from. */
  path: (string | number)[]
}

/** A node's interfaces: a non-empty list of its own replaces its group's (talhelper v3.1.16, [V] in reference talos.md 5.1). */
export function nodeInterfaces(talconfig: Talconfig, node: TalconfigNode): NodeInterface[] {
  const index = talconfig.nodes.indexOf(node)
  const own = node.networkInterfaces ?? []
  const group = node.controlPlane ? 'controlPlane' : 'worker'
  const [list, path] =
    own.length > 0
      ? [own, ['nodes', index, 'networkInterfaces']]
      : [talconfig[group]?.networkInterfaces ?? [], [group, 'networkInterfaces']]
  return list.map((value, position) => ({ value, path: [...path, position] }))
}

/** The ports that a node names by their hardware address, in order. */
export function ports(talconfig: Talconfig, node: TalconfigNode): { address: string; path: (string | number)[] }[] {
  return nodeInterfaces(talconfig, node).flatMap(({ value, path }) => {
    const bonded = (value.bond?.deviceSelectors ?? []).map((selector, index) => ({
      selector,
      path: [...path, 'bond', 'deviceSelectors', index],
    }))
    const own = value.deviceSelector ? [{ selector: value.deviceSelector, path: [...path, 'deviceSelector'] }] : []
    return [...own, ...bonded].flatMap(({ selector, path: where }) =>
      (['permanentAddr', 'hardwareAddr'] as const).flatMap((key) => {
        const address = selector[key]
        return address === undefined ? [] : [{ address: address.toLowerCase(), path: [...where, key] }]
      }),
    )
  })
}

export interface VirtualAddress {
  ip: string
  path: (string | number)[]
  node: TalconfigNode
}

/** Every virtual address that a node would hold, on an interface itself or on one of its VLANs. */
export function virtualAddresses(talconfig: Talconfig): VirtualAddress[] {
  return talconfig.nodes.flatMap((node) =>
    nodeInterfaces(talconfig, node).flatMap(({ value, path }) => {
      const own = value.vip ? [{ ip: value.vip.ip, path: [...path, 'vip', 'ip'], node }] : []
      const onVlans = (value.vlans ?? []).flatMap((vlan, index) =>
        vlan.vip ? [{ ip: vlan.vip.ip, path: [...path, 'vlans', index, 'vip', 'ip'], node }] : [],
      )
      return [...own, ...onVlans]
    }),
  )
}

/** VLAN ids with the place where each stands, once per place (nodes of a group share one). */
export function vlans(talconfig: Talconfig): { id: number; path: (string | number)[] }[] {
  const seen = new Map<string, { id: number; path: (string | number)[] }>()
  for (const node of talconfig.nodes) {
    for (const { value, path } of nodeInterfaces(talconfig, node)) {
      for (const [index, vlan] of (value.vlans ?? []).entries()) {
        const where = [...path, 'vlans', index, 'vlanId']
        seen.set(where.join('/'), { id: vlan.vlanId, path: where })
      }
    }
  }
  return [...seen.values()]
}
