/** Commits that are made on the release itself: git objects only, no branch is moved and no working tree is touched. */
import type { Git } from '../../config/source.ts'
import { GateError, UsageError } from '../../errors.ts'
import { rolloutRunbook } from './record.ts'

const short = (sha: string) => sha.slice(0, 9)

/**
 * A commit after `release` whose files are those of `to`: everything in between is taken back.
 * @throws GateError when there is nothing to take back
 */
export async function revertCommit(git: Git, release: string, to: string, reason: string): Promise<string> {
  const [before, after] = await Promise.all([treeOf(git, release), treeOf(git, to)])
  if (before === after) throw new GateError(`${short(to)} has the same files as ${short(release)}`)
  const message = `Revert to ${short(to)}\n\n${reason}\n\nThis takes back what came after it on the release, up to ${release}.`
  return commitTree(git, after, [release], message)
}

/**
 * The merge by which main takes in what was released: what git makes of the two without help.
 * @returns undefined when main has it already, `conflict` when git needs a person for it
 */
export async function takeBackCommit(
  git: Git,
  main: string,
  released: string,
  subject: string,
): Promise<{ commit: string } | 'conflict' | undefined> {
  const inMain = await git(['merge-base', '--is-ancestor', released, main])
  if (inMain.exitCode === 0) return undefined
  const merged = await git(['merge-tree', '--write-tree', main, released])
  if (merged.exitCode === 1) return 'conflict'
  if (merged.exitCode !== 0)
    throw new UsageError('git merge-tree failed (git 2.38 or later is needed)', { output: merged.stderr })
  const tree = merged.stdout.split('\n')[0] ?? ''
  return { commit: await commitTree(git, tree, [main, released], `Merge the release: ${subject}`) }
}

async function treeOf(git: Git, commit: string): Promise<string> {
  return (await git(['rev-parse', '--verify', '--quiet', `${commit}^{tree}`])).stdout.trim()
}

async function commitTree(git: Git, tree: string, parents: string[], message: string): Promise<string> {
  const flags = parents.flatMap((parent) => ['-p', parent])
  const made = await git(['commit-tree', tree, ...flags, '-m', message])
  if (made.exitCode === 0) return made.stdout.trim()
  throw new UsageError('git could not make the commit', {
    output: made.stderr.trim(),
    next: 'git config user.name and user.email say who you are',
    runbook: rolloutRunbook,
  })
}
