/** Where everything random in tests comes from. */
import { execFileSync } from 'node:child_process'

const dayOfCommit = () =>
  execFileSync('git', ['log', '-1', '--format=%cs'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()

/**
 * K8SOPS_TEST_SEED repeats a run. The default is the day of the commit, so that whoever tests one commit again, CI as well,
 * meets the same samples, and another day's work meets others.
 */
export const seed = process.env.K8SOPS_TEST_SEED ?? dayOfCommit()
