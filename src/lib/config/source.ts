/**
 * A write takes its files from the commit that the cluster follows, as Flux does (design section 4): a change that is only
 * in the working tree would reach the cluster by hand and be undone by the next reconciliation.
 */
import { GateError, UsageError } from '../errors.ts'
import { layout } from '../repo/layout.ts'
import type { Json } from '../types.ts'

/** Runs git in the target's root. `exitCode` null: it could not be started or was ended. */
export type Git = (args: string[]) => Promise<{ exitCode: number | null; stdout: string; stderr: string }>

export interface SourceRequest {
  /** Branch that the cluster follows. */
  follows: string
  /** Files and directories that the operation uses, relative to the root. */
  paths: string[]
  /** --ref: compare with this instead. */
  ref?: string | undefined
  /** --worktree --reason TEXT: take the working tree as it is. */
  worktree?: { reason: string } | undefined
}

export type Source =
  | {
      state: 'known'
      /** The ref as it was resolved, `origin/release`. */
      ref: string
      commit: string
      /** Used files in which the working tree differs from `commit`, relative to the root. */
      differing: string[]
      /** Why the working tree is taken nevertheless. */
      worktreeReason?: string
    }
  | { state: 'unknown'; reason: string; worktreeReason?: string }

/** Everything an operation on a cluster may read. Generated and ignored files are not among it. */
export const clusterPaths = (cluster: string): string[] => [
  layout.repositoryFile,
  layout.sopsConfig,
  layout.talos(cluster),
  layout.talosPatches,
  layout.bootstrap,
  layout.cluster(cluster),
  layout.infrastructure,
  layout.apps,
]

/**
 * Compares the working tree with the commit that the cluster follows: the remote's branch when it is known here (what
 * Flux pulls), else the local one.
 * @throws UsageError for a --ref that does not exist and for --worktree without a reason
 */
export async function observeSource(git: Git, request: SourceRequest): Promise<Source> {
  if (request.worktree && request.worktree.reason.trim() === '') {
    throw new UsageError('--worktree needs --reason TEXT', {
      next: 'say why the cluster gets files that it does not follow',
    })
  }
  const worktree = request.worktree ? { worktreeReason: request.worktree.reason } : {}
  const unknown = (reason: string): Source => ({ state: 'unknown', reason, ...worktree })
  const inside = await git(['rev-parse', '--is-inside-work-tree'])
  if (inside.exitCode !== 0) return unknown('the repository is not in git')
  const resolved = await resolveRef(git, request)
  if (!resolved) return unknown(`git has no branch ${request.follows}`)
  const { ref, commit } = resolved
  // --relative: the repository may be a directory of a larger one, and its paths are relative to its own root.
  const changed = await git(['diff', '--name-only', '--relative', '-z', commit, '--', ...request.paths])
  const untracked = await git(['ls-files', '--others', '--exclude-standard', '-z', '--', ...request.paths])
  const failed = [changed, untracked].find((result) => result.exitCode !== 0)
  if (failed) return unknown(`git: ${failed.stderr.trim()}`)
  const names = [...new Set([changed, untracked].flatMap(({ stdout }) => stdout.split('\0').filter(Boolean)))].sort()
  return { state: 'known', ref, commit, differing: names, ...worktree }
}

/** Throws GateError (exit 3) unless the working tree is what the cluster follows, or the operator overrode that with a reason. */
export function requireSource(source: Source): void {
  // Whoever takes the working tree as it is needs no commit to compare it with, least of all before the first release.
  if (source.worktreeReason !== undefined) return
  const ways = 'commit and push it, or give --ref REF, or --worktree --reason TEXT'
  if (source.state === 'unknown') {
    throw new GateError(`cannot tell which files the cluster follows: ${source.reason}`, { next: ways })
  }
  if (source.differing.length === 0) return
  const { ref, commit, differing } = source
  const count = differing.length === 1 ? 'one file that is used' : `${differing.length} files that are used`
  throw new GateError(`the working tree differs from ${ref} (${commit.slice(0, 9)}) in ${count}`, {
    command: `git diff --stat ${ref} -- ${differing.slice(0, 3).join(' ')}`,
    output: differing.join('\n'),
    next: ways,
  })
}

/** For `basis.observed` of a plan. */
export function sourceFact(source: Source): Json {
  return source.state === 'unknown' && source.worktreeReason === undefined ? 'unknown' : { ...source }
}

async function resolveRef(
  git: Git,
  { follows, ref }: SourceRequest,
): Promise<{ ref: string; commit: string } | undefined> {
  const candidates = ref === undefined ? [`refs/remotes/origin/${follows}`, `refs/heads/${follows}`] : [ref]
  for (const candidate of candidates) {
    const found = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${candidate}^{commit}`])
    if (found.exitCode === 0)
      return { ref: candidate.replace(/^refs\/(remotes|heads)\//, ''), commit: found.stdout.trim() }
  }
  if (ref !== undefined) throw new UsageError(`--ref ${ref} is no commit of this repository`, { next: 'git fetch' })
  return undefined
}
