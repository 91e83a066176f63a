/** `--cluster all`, for commands that read several clusters side by side. */
import type { CommandContext } from '../../lib/cli/define.ts'

/**
 * The names of all clusters, or of the chosen one, as every command chooses it.
 * @throws UsageError for an unknown one
 */
export async function askedClusters(context: CommandContext): Promise<string[]> {
  const repository = await context.repository()
  if (context.options.cluster === 'all') return repository.clusters.map(({ name }) => name)
  return [await context.clusterName()]
}
