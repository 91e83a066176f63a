/** `# CONFIRM: what to look up, how`: facts that nobody has verified yet. A write to a real cluster waits for them. */
import { ConfigError } from '../errors.ts'
import type { Cluster, Problem } from '../types.ts'

const mark = /(?:^|\s)#\s*CONFIRM:\s*(.*)$/

/** The marks of one file, in order. The text is what the operator has to look up. */
export function confirmMarks(file: { path: string; text: string }): Problem[] {
  return file.text.split('\n').flatMap((line, index) => {
    const text = mark.exec(line)?.[1]
    return text === undefined ? [] : [{ file: file.path, line: index + 1, message: text.trim() }]
  })
}

/** Throws ConfigError (exit 2) listing every mark that is left in the cluster's files; a write must not go on guesses. */
export function refuseUnconfirmed(cluster: Cluster): void {
  const { confirm, name } = cluster
  if (confirm.length === 0) return
  const count = confirm.length === 1 ? 'one fact' : `${confirm.length} facts`
  throw new ConfigError(`cluster ${name}: ${count} still to be confirmed`, confirm, {
    next: 'look each one up, correct the value, and delete its CONFIRM comment',
  })
}
