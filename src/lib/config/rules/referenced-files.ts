/** Files that talconfig.yaml names (`@./patches/x.yaml`) must be there; talhelper v3.1 resolves them from talconfig's directory. */
import { stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Problem } from '../../types.ts'
import type { YamlFile } from '../document.ts'
import type { RepositoryFiles } from '../files.ts'
import { problem } from './rule.ts'

/** Keys under which talhelper takes `@path` for a file (its pkg/substitute, v3.1.16). */
const fileKeys = new Set(['patches', 'machineFiles', 'inlineManifests', 'extraManifests'])

export async function fileRules(files: RepositoryFiles): Promise<Problem[]> {
  const references = files.clusters.flatMap(({ talconfigFile: file }) =>
    file ? referenced(file.data, [], false).map((reference) => ({ file, ...reference })) : [],
  )
  const checked = references.map(async ({ file, path, target }): Promise<Problem[]> => {
    if (await exists(files.root, file, target)) return []
    return [problem(file, path, `${target} is missing (looked for beside ${file.path})`)]
  })
  return (await Promise.all(checked)).flat()
}

function referenced(
  value: unknown,
  path: (string | number)[],
  below: boolean,
): { path: (string | number)[]; target: string }[] {
  if (typeof value === 'string') {
    const target = value.startsWith('@') ? value.slice(1).trim() : ''
    return below && target ? [{ path, target }] : []
  }
  if (typeof value !== 'object' || value === null) return []
  const entries = Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value)
  return entries.flatMap(([key, item]) => referenced(item, [...path, key], below || fileKeys.has(String(key))))
}

async function exists(root: string, file: YamlFile, target: string): Promise<boolean> {
  const path = isAbsolute(target) ? target : join(root, dirname(file.path), target)
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
