/** What Git has to say of the nodes that Rook looks for disks on: two settings of the cluster, which the CephCluster's values take. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandContext } from '../../lib/cli/define.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { KubeObject } from '../../lib/types.ts'

/** `kubernetes/infrastructure/configs/rook-ceph/rook-ceph-cluster` has them. */
const settings = { all: 'CEPH_ALL_NODES', nodes: 'CEPH_NODES', filter: 'CEPH_DEVICE_PATH_FILTER' } as const

export interface StorageChange {
  /** All nodes that Rook looks at afterwards; undefined leaves that as it is. */
  nodes?: string[]
  /** Regular expression over device paths. */
  filter?: string
}

/** @returns the edit as a difference; the file stays as it is */
export async function storageEdit(context: CommandContext, { nodes, filter }: StorageChange): Promise<string> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const path = layout.settings(cluster.name)
  const [before, { withSetting }, { lineDifference }] = await Promise.all([
    readFile(join(target.root, path), 'utf8'),
    import('../../lib/repo/settings-edit.ts'),
    import('../../lib/tools/line-difference.ts'),
  ])
  const changes: [string, string][] = [
    ...(nodes
      ? [[settings.all, '"false"'] as [string, string], [settings.nodes, nodesText(nodes)] as [string, string]]
      : []),
    ...(filter === undefined ? [] : [[settings.filter, JSON.stringify(filter)] as [string, string]]),
  ]
  const after = changes.reduce((text, [name, value]) => withSetting(text, name, value), before)
  return lineDifference(path, before, after)
}

/** As a value of a ConfigMap. */
const nodesText = (nodes: string[]): string => `'${JSON.stringify(nodes.toSorted().map((name) => ({ name })))}'`

/** The nodes that Rook looks at now: those that the CephCluster names, or all of them. */
export function askedNodes({ spec }: KubeObject, all: string[]): string[] {
  const { useAllNodes = false, nodes } = (spec?.storage ?? {}) as { useAllNodes?: boolean; nodes?: { name: string }[] }
  return useAllNodes ? all : (nodes ?? []).map(({ name }) => name)
}
