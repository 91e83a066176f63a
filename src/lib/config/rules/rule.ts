/** What a rule is: it looks at the files that could be read, and says what is wrong and where. */
import type { Problem } from '../../types.ts'
import type { YamlFile, YamlPath } from '../document.ts'
import type { ClusterFiles, RepositoryFiles } from '../files.ts'
import type { Talconfig } from '../schema.ts'

export type Rule = (files: RepositoryFiles) => Problem[]

export type WithTalconfig = ClusterFiles & { talconfigFile: YamlFile; talconfig: Talconfig }
export type WithSettings = ClusterFiles & { settingsFile: YamlFile; settings: Record<string, string> }

/** Both files have the right shape; a rule leaves a cluster whose files it cannot read to the loader's problems. */
export type SoundCluster = WithTalconfig & WithSettings

const hasTalconfig = (cluster: ClusterFiles): cluster is WithTalconfig => cluster.talconfig !== undefined
const hasSettings = (cluster: ClusterFiles): cluster is WithSettings => cluster.settings !== undefined

export const withTalconfig = (files: RepositoryFiles): WithTalconfig[] => files.clusters.filter(hasTalconfig)
export const withSettings = (files: Pick<RepositoryFiles, 'clusters'>): WithSettings[] =>
  files.clusters.filter(hasSettings)
export const soundClusters = (files: RepositoryFiles): SoundCluster[] =>
  files.clusters.filter((cluster): cluster is SoundCluster => hasTalconfig(cluster) && hasSettings(cluster))

/** A problem at the line where `path` stands in `file`. */
export function problem(file: YamlFile, path: YamlPath, message: string): Problem {
  return { file: file.path, line: file.lineOf(path), message }
}

/** `file:line`, to name the other party of a clash. */
export const place = (file: YamlFile, path: YamlPath): string => `${file.path}:${file.lineOf(path)}`
