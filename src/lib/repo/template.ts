/** What a new repository is made of: this one's files, as template/parts.yaml names them. */
import packageFile from '../../../package.json' with { type: 'json' }
import { parse } from './yaml.ts'

export const programVersion: string = packageFile.version

/** template/parts.yaml */
export interface RepositoryParts {
  cluster: string
  apps: string[]
  namespaces: string[]
  paths: string[]
  leave: string[]
  /** In the place of which that of the new cluster stands. */
  domains: string[]
  /** Settings that are right of the example only, with what to look up. */
  confirm: Record<string, string>
  /** Where the example's repository lives. */
  git: string
}

export const partsFile = 'template/parts.yaml'
export const readParts = (text: string): RepositoryParts => parse(text) as RepositoryParts

/** Whether a new repository gets this path; by the names of components, namespaces and applications: a directory's, or a runbook's. */
export function isKept(path: string, { paths, leave, apps }: RepositoryParts): boolean {
  if (!paths.some((part) => path === part || path.startsWith(`${part}/`))) return false
  const [, app] = /^kubernetes\/apps\/base\/([^/]+)\//.exec(path) ?? []
  if (app !== undefined) return apps.includes(app)
  const names = path.split('/').map((part) => part.replace(/\.md$/, ''))
  return !names.some((name) => leave.includes(name))
}
