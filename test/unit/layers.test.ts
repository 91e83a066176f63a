import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf } from '../../docs/imports.ts'

const root = join(import.meta.dirname, '../..')
const sources = globSync('src/**/*.ts', { cwd: root })

/** Folder -> what it may import from src/ and from npm (node: builtins are free). First match wins. */
const fences: [folder: RegExp, allowed: RegExp][] = [
  [/^src\/commands\/lab\//, /^src\/(lib\/(cli|lab|config|types|errors|tools|exec)|commands\/lab)/],
  [/^src\/commands\/runbook\/run\.ts$/, /^src\/(lib\/(cli|lab|errors)|commands\/(lab|runbook))/],
  [/^src\/commands\//, /^src\/(lib\/(cli|ops|config|repo|tools|engine|gates|ui|types|errors)|commands)/],
  [
    /^src\/lib\/ops\//,
    /^src\/lib\/(ops|types|errors|repo|config|gates\/(catalog|ceph-osds|disruption-rules|drill-outcome|lifecycle-sets|used-disks)|tools\/[a-z-]+\.args)/,
  ],
  [/^src\/lib\/engine\//, /^src\/lib\/(engine|types|errors|gates|exec\/render)/],
  [/^src\/lib\/gates\//, /^(src\/lib\/(gates|types|errors|tools\/[a-z-]+\.args)|yaml$)/],
  [/^src\/lib\/ui\//, /^(src\/lib\/(ui|types|errors|exec\/render)|listr2|chalk|yaml)/],
  [/^src\/lib\/kube\//, /^(src\/lib\/(kube|types|errors|engine\/ports)|@kubernetes\/client-node|js-yaml$)/],
  [
    /^src\/lib\/tools\//,
    /^(src\/lib\/(tools|types|errors|exec\/process-info)|age-encryption|sops-age|croner$|yaml$|js-yaml$)/,
  ],
  [/^src\/lib\/exec\//, /^src\/lib\/(exec|types|errors)/],
]

test('imports stay inside their layer', () => {
  const breaches = sources.flatMap((file) => {
    const fence = fences.find(([folder]) => folder.test(file))
    if (!fence) return []
    return importsOf(file)
      .filter((name) => !name.startsWith('node:') && !fence[1].test(name))
      .map((name) => `${file} imports ${name}`)
  })
  expect(breaches).toEqual([])
})

test('nothing imports main.ts', () => {
  expect(sources.filter((file) => importsOf(file).includes('src/main.ts'))).toEqual([])
})

test('only the lab, its commands, the rehearsal of a runbook and the target resolver know about the lab', () => {
  const knowing = sources.filter((file) => {
    if (/^src\/(lib\/lab|commands\/lab|commands\/runbook\/run)\b/.test(file) || file === 'src/lib/config/target.ts')
      return false
    return (
      importsOf(file).some((name) => name.startsWith('src/lib/lab/')) ||
      /\b(isLab|inLab)\b/.test(readFileSync(join(root, file), 'utf8'))
    )
  })
  expect(knowing).toEqual([])
})

test('source files stay under 300 lines and test files under 500', () => {
  const long = [
    ...sources.map((file) => [file, 300] as const),
    ...globSync('{test,bench,tools}/**/*.ts', { cwd: root }).map((file) => [file, 500] as const),
  ]
    .map(([file, limit]) => ({ file, limit, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
    .filter(({ lines, limit }) => lines > limit)
  expect(long).toEqual([])
})

/** Loading these costs 30 to 280 ms each, measured here. */
const slow = [
  'yaml',
  'js-yaml',
  'zod',
  'execa',
  'listr2',
  '@kubernetes/client-node',
  '@grpc/grpc-js',
  'age-encryption',
  'sops-age',
  '@peculiar/x509',
]

test('a command loads nothing slow for its --help: what it runs with is imported when it runs', () => {
  const statically = (file: string) =>
    [
      ...readFileSync(join(root, file), 'utf8').matchAll(
        /^\s*(?:import|export)\s+(?!type\b)(?!\{(?:\s*type\s+\w+,?)+\s*\})[^'"]*?from\s+'([^']+)'/gm,
      ),
    ].map(([, name = '']) => (name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name))
  const reached = (file: string, seen: Set<string>): string[] => {
    if (seen.has(file)) return []
    seen.add(file)
    return statically(file).flatMap((name) => {
      if (slow.includes(name)) return [`${file} imports ${name}`]
      return name.startsWith('src/') && name.endsWith('.ts') ? reached(name, seen) : []
    })
  }
  const commands = sources.filter((file) => file.startsWith('src/commands/'))
  const heavy = commands.flatMap((file) => reached(file, new Set()).map((how) => `${file}: ${how}`))
  expect(heavy).toEqual([])
})
