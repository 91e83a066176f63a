/** Where everything random in tests comes from. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'

const dayOfCommit = () =>
  execFileSync('git', ['log', '-1', '--format=%cs'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()

/**
 * K8SOPS_TEST_SEED repeats a run. The default is the day of the commit, so that whoever tests one commit again, CI as well,
 * meets the same samples, and another day's work meets others.
 */
export const seed = process.env.K8SOPS_TEST_SEED ?? dayOfCommit()

/** Nothing is sampled. */
export const full = process.env.K8SOPS_TEST_FULL === '1'

/** Numbers from 0 to 1, the same for the same seed and purpose. */
export function randomOf(purpose: string): () => number {
  let count = 0
  return () => {
    const bytes = createHash('sha256').update(`${seed} ${purpose} ${count++}`).digest()
    return bytes.readUInt32BE() / 2 ** 32
  }
}

/** So many of them, in their own order. */
export function sample<T>(all: T[], count: number, random: () => number): T[] {
  const ranked = all.map((item, index) => ({ item, index, rank: random() })).sort((a, b) => a.rank - b.rank)
  return ranked
    .slice(0, count)
    .sort((a, b) => a.index - b.index)
    .map(({ item }) => item)
}
