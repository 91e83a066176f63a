/** Files that talconfig.yaml names (`@./patches/x.yaml`) must be there; talhelper v3.1 resolves them from talconfig's directory. */
import { stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Problem } from '../../types.ts'
import type { RepositoryFiles } from '../files.ts'
import { problem } from './rule.ts'

/** Keys under which talhelper takes `@path` for a file (its pkg/substitute, v3.1.16). */
const fileKeys = new Set(['patches', 'machineFiles', 'inlineManifests', 'extraManifests'])

export async function fileRules(files: RepositoryFiles): Promise<Problem[]> {
  const checked = references(files).map(async ({ file, path, target, place }): Promise<Problem[]> => {
    if (await isFile(place)) return []
    return [problem(file, path, `${target} is missing (looked for beside ${file.path})`)]
  })
  return (await Promise.all(checked)).flat()
}

/** Absolute paths of the files that have to be there. */
export const referencedFiles = (files: RepositoryFiles): string[] => references(files).map(({ place }) => place)

function references({ root, clusters }: RepositoryFiles) {
  return clusters.flatMap(({ talconfigFile: file }) =>
    file
      ? referenced(file.data, [], false).map(({ path, target }) => {
          const place = isAbsolute(target) ? target : join(root, dirname(file.path), target)
          return { file, path, target, place }
        })
      : [],
  )
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

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
