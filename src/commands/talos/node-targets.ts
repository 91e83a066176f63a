import type { CommandContext } from '../../lib/cli/define.ts'
import { ConfigError } from '../../lib/errors.ts'
import type { NodeTarget } from '../../lib/gates/lifecycle-sets.ts'
import { layout } from '../../lib/repo/layout.ts'
import { installerImages } from '../../lib/tools/installer-image.ts'
import type { ClusterNode } from '../../lib/types.ts'

/**
 * What Git says that nodes shall run, by hostname.
 * @param to another version than talconfig.yaml's, `v1.12.11`
 * @throws ToolError, ConfigError when talhelper tells no image of a node
 */
export async function nodeTargets(
  context: CommandContext,
  nodes: ClusterNode[],
  to?: string,
): Promise<Record<string, NodeTarget>> {
  const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
  const { readExtensions } = await import('../../lib/config/schematics.ts')
  const [images, extensions] = await Promise.all([
    installerImages(exec, layout.talconfig(cluster.name), context.signal),
    readExtensions(target.root, cluster.name),
  ])
  return Object.fromEntries(
    nodes.map(({ hostname }) => {
      const image = images.get(hostname)
      if (!image) throw new ConfigError(`talhelper tells no installer image for ${hostname}`)
      const version = to ?? image.version
      const { schematic, repository } = image
      const target = { version, schematic, image: `${repository}:${version}` }
      return [hostname, { ...target, extensions: extensions.get(hostname) ?? [] }]
    }),
  )
}
