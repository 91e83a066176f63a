/** `NAME` or `NAME:LINE`, as `runbook list` and a failed rehearsal print them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CompletionSource } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { layout } from '../../lib/repo/layout.ts'
import { type Runbook, type RunbookBlock, readRunbooks, runbookNames } from '../../lib/repo/runbooks.ts'

/** @throws UsageError with what there is */
export function chosenBlocks(
  root: string,
  choice = '',
): { runbook: Runbook; line: string | undefined; blocks: RunbookBlock[] } {
  const [name, line] = choice.split(':')
  const runbook = readRunbooks(root).find((one) => one.name === name)
  if (!runbook) throw new UsageError(`there is no runbook ${name}`, { next: 'k8sops runbook list' })
  if (line === undefined) return { runbook, line, blocks: runbook.blocks }
  const blocks = runbook.blocks.filter(({ id }) => id === choice)
  const ids = runbook.blocks.map(({ id }) => id).join(', ')
  if (blocks.length === 0)
    throw new UsageError(`no block of commands begins on line ${line} of ${runbook.file}`, {
      next: ids === '' ? `k8sops runbook show ${name}` : `one of ${ids}`,
    })
  return { runbook, line, blocks }
}

export const completeRunbooks = ({ root }: CompletionSource): string[] =>
  root !== undefined && existsSync(join(root, layout.runbooks)) ? runbookNames(root) : []
