/** What was released before, as git tells it: the attestations on the release's commits. */
import type { Git } from '../../config/source.ts'
import { GateError } from '../../errors.ts'
import type { RolloutPolicy } from '../../types.ts'
import { parseStatement, type Statement, type VerifyFacts } from './attestation.ts'
import { containment, isAncestor, lines, notesRef, trackingRef, waitingCommits } from './branches.ts'

/** @throws GateError when the commit has none */
export async function statementOn(git: Git, commit: string): Promise<Statement> {
  const note = await git(['notes', `--ref=${notesRef}`, 'show', commit])
  if (note.exitCode === 0) return parseStatement(commit, note.stdout)
  throw new GateError(`${commit.slice(0, 9)} has no attestation: the rollout has not released it`, {
    next: 'k8sops rollout history lists what it has',
  })
}

/** Of all commits that have one, newest release first. What is no attestation is left out. */
export async function releasedStatements(git: Git): Promise<Statement[]> {
  const commits = (await lines(git, ['notes', `--ref=${notesRef}`, 'list'])).map((line) => line.split(' ')[1] ?? '')
  const all = await Promise.all(commits.map((commit) => statementOn(git, commit).catch(() => undefined)))
  return all
    .filter((one) => one !== undefined)
    .toSorted(({ predicate: a }, { predicate: b }) =>
      a.promotion.at + a.readyAt < b.promotion.at + b.readyAt ? 1 : -1,
    )
}

/** What git says of a promotion. @param release branch */
export async function verifyFacts(
  git: Git,
  { predicate: { promotion, stretches } }: Statement,
  { commit, release, policy }: { commit: string; release: string; policy: RolloutPolicy },
): Promise<VerifyFacts> {
  const { from } = promotion
  const [released, follows, commits, contains] = await Promise.all([
    isAncestor(git, commit, trackingRef(release)),
    isAncestor(git, from, commit),
    waitingCommits(git, commit, from, policy),
    containment(
      git,
      stretches.map(({ revision }) => revision),
      from,
    ),
  ])
  return { commit, released, follows, commits, contains, policy }
}
