/** What each waiting commit changes on the later clusters. Commits never change, so what was rendered once is kept. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandContext } from '../../lib/cli/define.ts'
import { quietGit } from '../../lib/repo/revision.ts'
import type { Json } from '../../lib/types.ts'
import type { OpenedRollout } from './opened.ts'

export interface CommitChanges {
  cluster: string
  added: number
  changed: number
  removed: number
  /** `name:old -> name:new` */
  images: string[]
  restarts: string[]
  dangers: string[]
  /** Owners of which nothing is known. */
  unknown: string[]
}

/** Nothing else is read by a rendering. */
const rendered = ['kubernetes', 'k8sops.yaml', 'talos']

export async function changesOf(context: CommandContext, at: OpenedRollout, commit: string): Promise<CommitChanges[]> {
  const { root, stateDir } = at.first.target
  const touched = await quietGit(root)(['diff', '--quiet', `${commit}^1`, commit, '--', ...rendered])
  const names = at.clusters.later.map(({ name }) => name)
  if (touched.exitCode === 0) return names.map(nothing)
  const file = join(stateDir, 'rollout-changes', `${commit}.json`)
  const kept = await readFile(file, 'utf8').catch(() => undefined)
  if (kept !== undefined) return JSON.parse(kept) as CommitChanges[]
  const found = await compare(context, root, commit, names)
  await mkdir(join(stateDir, 'rollout-changes'), { recursive: true })
  await writeFile(`${file}.new`, JSON.stringify(found))
  await rename(`${file}.new`, file)
  return found
}

async function compare({ env, signal }: CommandContext, root: string, commit: string, clusters: string[]) {
  const [{ compareRevisions }, { loadRepository }] = await Promise.all([
    import('../../lib/repo/difference/compare.ts'),
    import('../../lib/config/load.ts'),
  ])
  const repository = await loadRepository(root)
  const { text } = await compareRevisions({ repository, range: `${commit}^1..${commit}`, clusters, env, signal })
  return text.clusters.map(
    ({ cluster, added, changed, removed, images, restarts, unknown }): CommitChanges => ({
      cluster,
      added,
      changed,
      removed,
      images: images.map(({ before, after }) => `${before ?? 'new'} -> ${after ?? 'gone'}`),
      restarts,
      dangers: text.dangers
        .filter((danger) => danger.cluster === cluster)
        .map(({ object, detail }) => `${object}: ${detail}`),
      unknown: unknown.map(({ owner }) => owner),
    }),
  )
}

const nothing = (cluster: string): CommitChanges => ({
  cluster,
  added: 0,
  changed: 0,
  removed: 0,
  images: [],
  restarts: [],
  dangers: [],
  unknown: [],
})

/** `3 objects, 1 image, 2 restarts`, by cluster where there are several. */
export function changesText(changes: CommitChanges[]): string {
  const texts = changes.map(({ cluster, added, changed, removed, images, restarts, dangers, unknown }) => {
    const parts = [
      counted(added + changed + removed, 'object'),
      counted(images.length, 'image'),
      counted(restarts.length, 'restart'),
      counted(dangers.length, 'danger'),
      counted(unknown.length, 'unknown owner'),
    ].filter(Boolean)
    const text = parts.length > 0 ? parts.join(', ') : 'nothing'
    return changes.length > 1 ? `${cluster}: ${text}` : text
  })
  return texts.join('; ')
}

const counted = (count: number, what: string) => (count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`)

export const changesFields = (changes: CommitChanges[]): Json => changes.map((one) => ({ ...one }))
