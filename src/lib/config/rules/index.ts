/** Every rule over a repository's facts. A rule never stops another: the operator sees all problems in one pass. */
import type { Problem } from '../../types.ts'
import type { RepositoryFiles } from '../files.ts'
import { addressRules } from './addresses.ts'
import { agreementRules } from './agreement.ts'
import { clusterRules } from './clusters.ts'
import { interfaceRules } from './interfaces.ts'
import { fileRules } from './referenced-files.ts'
import { unknownKeys } from './talconfig-keys.ts'
import { versionRules } from './versions.ts'

const rules = [...clusterRules, ...addressRules, ...agreementRules, ...interfaceRules, ...versionRules, unknownKeys]

/** Problems in order of file and line, each once. */
export async function checkFiles(files: RepositoryFiles): Promise<Problem[]> {
  const found = [...rules.flatMap((rule) => rule(files)), ...(await fileRules(files))]
  const unique = new Map(found.map((problem) => [JSON.stringify(problem), problem]))
  return [...unique.values()].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
}
