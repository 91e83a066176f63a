/** Which file of src/ imports which: read from the import statements, for the fences (test/unit/layers.test.ts) and their picture. */
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')

/**
 * What a file imports, at the top or when it is used: paths from the repository's root, names of packages as they are. `import type`
 * carries no code, so a fence on it would only forbid naming a shape.
 * @param file from the repository's root
 */
export const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(root, file), 'utf8').matchAll(
      /^\s*(?:import|export)\s+(?!type\b)[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gm,
    ),
  ].map((match) => {
    const name = (match[1] ?? match[2]) as string
    return name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name
  })
