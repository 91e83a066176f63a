import { candidates } from '../lib/cli/complete.ts'
import { commands, topics } from './index.ts'

/**
 * One candidate a line for the last of `words`, then a directive, as programs made with Cobra answer: shells ask us through our
 * own scripts, and through flux (2.9) where we are its plugin. 4: these are all; 0: the shell may offer files.
 */
export async function completeWords(words: string[], cwd: string): Promise<string> {
  const found = await candidates(words, commands, topics, {
    cwd,
    // The loader parses YAML and checks shapes; it is imported only when a name can't be had without it.
    loadRepository: async (root) => (await import('../lib/config/load.ts')).loadRepository(root),
  })
  return [...found, found.length > 0 ? ':4' : ':0'].join('\n')
}
