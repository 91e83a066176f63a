/** Which blocks of the runbooks a run takes: all of them with K8SOPS_TEST_FULL=1, otherwise ten, chosen by K8SOPS_TEST_SEED. */
import type { RunbookBlock } from '../../src/lib/repo/runbooks.ts'
import { full, randomOf, sample } from './seed.ts'

/** @returns those to run, of the ones that a lab can show, and how many more there are */
export function sampledBlocks(blocks: RunbookBlock[]): { chosen: RunbookBlock[]; left: number } {
  const inLab = blocks.filter(({ notInLab }) => notInLab === undefined)
  const chosen = full ? inLab : sample(inLab, 10, randomOf('runbooks'))
  return { chosen, left: inLab.length - chosen.length }
}
