/** The edit of talconfig.yaml that goes with a node that comes or goes, shown as a difference. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandContext } from '../../lib/cli/define.ts'
import { layout } from '../../lib/repo/layout.ts'

/** Says what to take out of the file once the node has left; the file stays as it is. */
export async function proposeWithout(context: CommandContext, hostname: string): Promise<void> {
  const { withoutNode } = await import('../../lib/tools/talconfig-edit.ts')
  await propose(
    context,
    (text) => withoutNode(text, hostname),
    'once it has left, commit this (or let --write make the edit)',
  )
}

/** Says what to add, before the node can join. */
export async function proposeWith(
  context: CommandContext,
  node: { hostname: string; address: string; like: string },
): Promise<string> {
  const { withNode } = await import('../../lib/tools/talconfig-edit.ts')
  return propose(context, (text) => withNode(text, node), 'the edit (--write makes it):')
}

async function propose(context: CommandContext, edit: (text: string) => string, what: string): Promise<string> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const path = layout.talconfig(cluster.name)
  const before = await readFile(join(target.root, path), 'utf8')
  const { lineDifference } = await import('../../lib/tools/line-difference.ts')
  const difference = lineDifference(path, before, edit(before))
  context.note(`${what}\n${difference}`)
  return difference
}
