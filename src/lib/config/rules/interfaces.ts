/** Rules about what stands on a node's interfaces and disks, and about the number of control planes. */
import { nodeInterfaces } from '../interfaces.ts'
import { problem, type Rule, withTalconfig } from './rule.ts'

/** A VLAN's frames travel on its parent: a larger MTU there is dropped silently by the bond. */
const vlanMtu: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile }) =>
    talconfig.nodes.flatMap((node) =>
      nodeInterfaces(talconfig, node).flatMap(({ value, path }) =>
        (value.vlans ?? []).flatMap((vlan, index) => {
          const parent = value.mtu ?? defaultMtu
          if (vlan.mtu === undefined || vlan.mtu <= parent) return []
          const message = `VLAN ${vlan.vlanId}: mtu ${vlan.mtu} is larger than ${parent} of ${value.interface ?? 'its parent'}`
          return [problem(talconfigFile, [...path, 'vlans', index, 'mtu'], message)]
        }),
      ),
    ),
  )

/** What Linux gives an Ethernet interface that says nothing. */
const defaultMtu = 1500

/** etcd: an even number tolerates no more losses than one fewer, and has one more machine that can be lost. */
const oddControlPlanes: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile }) => {
    const count = talconfig.nodes.filter((node) => node.controlPlane).length
    if (count % 2 === 1) return []
    const message = count === 0 ? 'no node is a control plane' : `${count} control planes: etcd wants an odd number`
    return [problem(talconfigFile, ['nodes'], message)]
  })

/** talhelper refuses as well (exactly one of the two), but without a line. */
const installDisk: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile }) =>
    talconfig.nodes.flatMap((node, index) => {
      const given = [node.installDisk, node.installDiskSelector].filter((value) => value !== undefined).length
      if (given === 1) return []
      const message = `${node.hostname}: give exactly one of installDisk and installDiskSelector`
      return [problem(talconfigFile, ['nodes', index], message)]
    }),
  )

export const interfaceRules: Rule[] = [vlanMtu, oddControlPlanes, installDisk]
