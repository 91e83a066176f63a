/** What every plan on a cluster is based on: the files of the commit that it follows, and the pinned tools. */
import { type BasisRequest, computeBasis } from '../config/basis.ts'
import { clusterPaths, type Git, observeSource, requireSource, sourceFact } from '../config/source.ts'
import type { Exec } from '../exec/types.ts'
import type { Basis, Cluster, Json, Target } from '../types.ts'

/** git in the target's root, as src/lib/config asks for it. A git that can't be started reads as "not in git". */
export function gitIn(exec: Exec, signal?: AbortSignal): Git {
  return async (args) => {
    try {
      return await exec({ pipeline: [{ tool: 'git', args }], timeoutSec: 30, ...(signal ? { signal } : {}) })
    } catch (error) {
      return { exitCode: null, stdout: '', stderr: (error as Error).message }
    }
  }
}

export interface SourceOptions {
  ref?: string | undefined
  worktree: boolean
  reason?: string | undefined
  /** Pinned versions by name, of the tools that the plan may call. */
  tools: Record<string, string>
  /** Files that the operation uses, relative to the root; default: everything that is the cluster's. */
  paths?: string[]
}

/**
 * The basis of a plan that takes nothing from the repository that the cluster follows, but names and addresses: whether the files are
 * those of its commit is not asked.
 * @param observed what was seen, for the reader of the plan
 */
export async function basisOf(
  exec: Exec,
  target: Pick<Target, 'root'>,
  files: Omit<BasisRequest, 'root'>,
  observed: { [name: string]: Json },
): Promise<Basis> {
  return { ...(await computeBasis(gitIn(exec), { root: target.root, ...files })), observed }
}

/** A plan's basis, and the comparison of the working tree with the commit that the cluster follows. */
export interface ObservedBasis {
  basis: Basis
  /**
   * Refuses to run on files that the cluster doesn't follow; a preview only reports the difference.
   * @throws GateError (exit 3) with the list of files
   */
  requireSource: () => void
}

/** @throws UsageError for a --ref that is no commit and for --worktree without a reason */
export async function observeBasis(
  exec: Exec,
  cluster: Cluster,
  target: Target,
  options: SourceOptions,
): Promise<ObservedBasis> {
  const git = gitIn(exec)
  const paths = options.paths ?? clusterPaths(cluster.name)
  const [digested, source] = await Promise.all([
    computeBasis(git, { root: target.root, paths, tools: options.tools }),
    observeSource(git, {
      follows: cluster.follows,
      paths,
      ref: options.ref,
      worktree: options.worktree ? { reason: options.reason ?? '' } : undefined,
    }),
  ])
  const observed: Record<string, Json> = { source: sourceFact(source) }
  return { basis: { ...digested, observed }, requireSource: () => requireSource(source) }
}
