import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from '../repo/layout.ts'
import type { CompletionSource } from './define.ts'

/** Ids of the repository's runs, for the shell completion; those of labs stand in the labs' own directories and are not offered. */
export function runNames({ root }: CompletionSource): string[] {
  try {
    return root === undefined ? [] : readdirSync(join(root, layout.state, 'runs'))
  } catch {
    return []
  }
}
