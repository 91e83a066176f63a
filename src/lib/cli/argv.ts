/** Finds the command's words in an argument list without knowing the command's options, so that only it is loaded. */

import type { CommandEntry } from './registry.ts'
import { leadingValueOptions } from './shared-options.ts'

export interface Found {
  entry: CommandEntry | undefined
  /** The argument list with the command's words first: shared options may stand before them. */
  argv: string[]
}

/** The longest path of `entries` that the words of `argv` begin with. */
export function findCommand(argv: string[], entries: CommandEntry[]): Found {
  const words: { word: string; index: number }[] = []
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index]!
    if (word === '--') break
    if (!word.startsWith('-')) words.push({ word, index })
    else if (leadingValueOptions.has(word)) index += 1
    if (words.length === 4) break
  }
  for (let length = Math.min(words.length, 3); length > 0; length -= 1) {
    const path = words.slice(0, length)
    const entry = entries.find((candidate) => candidate.path === path.map(({ word }) => word).join(' '))
    if (!entry) continue
    const taken = new Set(path.map(({ index }) => index))
    return { entry, argv: [...path.map(({ word }) => word), ...argv.filter((_, index) => !taken.has(index))] }
  }
  return { entry: undefined, argv }
}
