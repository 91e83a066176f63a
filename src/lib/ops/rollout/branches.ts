/** What git says of the rollout: the branch that the first cluster follows, the one that the others follow, and what is between them. */
import type { Git } from '../../config/source.ts'
import { ConfigError, UnreachableError, UsageError } from '../../errors.ts'
import type { Cluster, RolloutPolicy } from '../../types.ts'
import { labelsOf, type WaitingCommit } from './decide.ts'
import { rolloutRunbook } from './record.ts'

export const remote = 'origin'
/** Attestations, one for each commit that was released. */
export const notesRef = 'refs/notes/k8sops-rollout'
/** In the commit message: what kind of change it is (`labels` in k8sops.yaml). */
const labelTrailer = 'Rollout-Label'

export interface RolloutClusters {
  /** Soaks. */
  first: Cluster
  /** Follow the release. */
  later: Cluster[]
  /** Branch of the first. */
  main: string
  /** Branch of the others. */
  release: string
}

/** @throws UsageError where k8sops.yaml has no second cluster; ConfigError where the later ones follow different branches, or the first's */
export function rolloutClusters(clusters: Cluster[], { order }: RolloutPolicy): RolloutClusters {
  const found = order.flatMap((name) => clusters.find((cluster) => cluster.name === name) ?? [])
  const [first, ...later] = found
  const [second] = later
  if (!first || !second) throw new UsageError('a rollout goes from one cluster to the next, and rollout.order has one')
  const branches = new Set(later.map(({ follows }) => follows))
  if (branches.size > 1 || branches.has(first.follows))
    throw new ConfigError('all clusters behind the first have to follow one branch, which is not its own', [], {
      output: found.map(({ name, follows }) => `${name} follows ${follows}`).join('\n'),
      next: 'clusters.NAME.follows in k8sops.yaml',
    })
  return { first, later, main: first.follows, release: second.follows }
}

export interface Branches {
  /** Tips of the remote's branches. */
  main: string
  release: string
  /** On the first-parent line of main and not in the release, oldest first. */
  waiting: WaitingCommit[]
  /** On the release and not in main, newest first: `sha subject`. */
  lacking: string[]
}

export const trackingRef = (branch: string) => `refs/remotes/${remote}/${branch}`

/**
 * Fetches both branches, hotfixes and attestations, and reads what is between the branches.
 * @throws UnreachableError when the remote does not answer; UsageError when it lacks a branch
 */
export async function observeBranches(
  git: Git,
  { main, release }: RolloutClusters,
  policy: RolloutPolicy,
): Promise<Branches> {
  const tips = await fetchBranches(git, [main, release])
  const [waiting, lacking] = await Promise.all([
    waitingCommits(git, tips[0] ?? '', tips[1] ?? '', policy),
    lines(git, ['log', '--format=%h %s', `${tips[0]}..${tips[1]}`]),
  ])
  return { main: tips[0] ?? '', release: tips[1] ?? '', waiting, lacking }
}

async function fetchBranches(git: Git, names: string[]): Promise<string[]> {
  const listed = await git(['ls-remote', remote, ...names.map((name) => `refs/heads/${name}`)])
  if (listed.exitCode !== 0)
    throw new UnreachableError(`git remote ${remote} does not answer`, {
      command: `git ls-remote ${remote}`,
      output: listed.stderr.trim(),
      next: `git remote -v; the rollout moves a branch of ${remote}`,
    })
  const tips = names.map((name) => new RegExp(`^([0-9a-f]{40})\\trefs/heads/${name}$`, 'm').exec(listed.stdout)?.[1])
  const missing = names.filter((_, index) => tips[index] === undefined)
  if (missing.length > 0)
    throw new UsageError(`${remote} has no branch ${missing.join(', ')}`, {
      next: `git push ${remote} COMMIT:refs/heads/${missing[0]}, with the commit that its clusters run`,
      runbook: rolloutRunbook,
    })
  const specs = [
    ...names.map((name) => `+refs/heads/${name}:${trackingRef(name)}`),
    `+refs/heads/hotfix/*:${trackingRef('hotfix/*')}`,
    // A pattern: a remote without any notes is no error.
    `+${notesRef}*:${notesRef}*`,
  ]
  const fetched = await git(['fetch', '--quiet', '--no-tags', remote, ...specs])
  if (fetched.exitCode !== 0)
    throw new UnreachableError(`nothing could be fetched from ${remote}`, {
      command: `git fetch ${remote}`,
      output: fetched.stderr.trim(),
    })
  return Promise.all(names.map(async (name) => (await git(['rev-parse', '--verify', trackingRef(name)])).stdout.trim()))
}

const [field, record] = ['\x1f', '\x1e']
const trailers = `%(trailers:key=${labelTrailer},valueonly,separator=%x2C)`

/** First-parent commits of `main` that `release` does not have, oldest first. */
export async function waitingCommits(
  git: Git,
  main: string,
  release: string,
  policy: RolloutPolicy,
): Promise<WaitingCommit[]> {
  const format = ['%H', '%P', '%an', '%cI', '%s', trailers].join('%x1f')
  const following = new Set(await lines(git, ['rev-list', '--ancestry-path', `${release}..${main}`]))
  const { stdout } = await git(['log', '--first-parent', '--reverse', `--format=${format}%x1e`, `${release}..${main}`])
  const entries = stdout.split(record).map((text) => text.trim().split(field))
  return Promise.all(
    entries
      .filter(([sha]) => sha)
      .map(async ([sha = '', parents = '', author = '', committedAt = '', subject = '', said = '']) => {
        const [first = '', second] = parents.split(' ')
        // What a branch brought is labelled on its own commits.
        const merged = second ? await lines(git, ['log', `--format=${trailers}`, `${first}..${sha}`]) : []
        const labels = labelsOf(
          subject,
          [said, ...merged].flatMap((text) => text.split(',')).map((text) => text.trim()),
          policy,
        )
        const takesBack = second !== undefined && (await bringsNothing(git, { sha, first, second, release }))
        return { sha, subject, author, committedAt, labels, takesBack, follows: following.has(sha) }
      }),
  )
}

/** Its other parent is in the release, and it is what git itself makes of the two: nothing was put in by hand. */
async function bringsNothing(
  git: Git,
  merge: { sha: string; first: string; second: string; release: string },
): Promise<boolean> {
  const released = await git(['merge-base', '--is-ancestor', merge.second, merge.release])
  if (released.exitCode !== 0) return false
  const [made, own] = await Promise.all([
    git(['merge-tree', '--write-tree', merge.first, merge.second]),
    git(['rev-parse', `${merge.sha}^{tree}`]),
  ])
  return made.exitCode === 0 && made.stdout.split('\n')[0] === own.stdout.trim()
}

/** By revision: the commits that it contains and `base` does not. A revision that git does not know contains nothing. */
export async function containment(
  git: Git,
  revisions: (string | null)[],
  base: string,
): Promise<(revision: string, commit: string) => boolean> {
  const known = new Map<string, Set<string>>()
  await Promise.all(
    [...new Set(revisions)].flatMap((revision) =>
      revision === null
        ? []
        : [
            (async () => {
              known.set(revision, new Set(await lines(git, ['rev-list', revision, '--not', base])))
            })(),
          ],
    ),
  )
  return (revision, commit) => revision === commit || known.get(revision)?.has(commit) === true
}

export async function isAncestor(git: Git, ancestor: string, of: string): Promise<boolean> {
  return (await git(['merge-base', '--is-ancestor', ancestor, of])).exitCode === 0
}

/** A failure has no lines. */
export async function lines(git: Git, args: string[]): Promise<string[]> {
  const { exitCode, stdout } = await git(args)
  return exitCode === 0 ? stdout.split('\n').filter(Boolean) : []
}
