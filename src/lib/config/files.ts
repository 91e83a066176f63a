/** The files that hold a repository's facts, parsed, with positions. Both the loader and the rules work on them. */
import { layout } from '../repo/layout.ts'
import type { Cluster, ClusterGates, Problem } from '../types.ts'
import { readYaml, type YamlFile } from './document.ts'
import { clusterDirectories } from './find.ts'
import {
  parseFile,
  type RepositoryFile,
  repositorySchema,
  settingsSchema,
  type Talconfig,
  talconfigSchema,
} from './schema.ts'

export interface ClusterFiles {
  name: string
  context: string
  follows: string
  gates: ClusterGates
  alertmanager: Cluster['alertmanager']
  /** Present when the file is well-formed YAML. */
  talconfigFile: YamlFile | undefined
  settingsFile: YamlFile | undefined
  /** Present when it also has the right shape. */
  talconfig: Talconfig | undefined
  settings: Record<string, string> | undefined
}

export interface RepositoryFiles {
  root: string
  file: YamlFile | undefined
  repository: RepositoryFile | undefined
  clusters: ClusterFiles[]
  /** Directories under kubernetes/clusters/. */
  clusterDirs: string[]
  /** What cannot be read: missing files, malformed YAML, wrong shapes. */
  problems: Problem[]
}

/** Reads all of it in one pass. Never throws for what a file says: that becomes a problem. */
export async function readRepositoryFiles(root: string): Promise<RepositoryFiles> {
  const problems: Problem[] = []
  const file = await readYaml(root, layout.repositoryFile, problems)
  const repository = file && parseFile(repositorySchema, file, problems)
  const clusterDirs = await clusterDirectories(root)
  const clusters: ClusterFiles[] = []
  for (const [name, { context, follows, gates, alertmanager }] of Object.entries(repository?.clusters ?? {})) {
    const talconfigFile = await readYaml(root, layout.talconfig(name), problems)
    const settingsFile = await readYaml(root, layout.settings(name), problems)
    clusters.push({
      name,
      context,
      follows,
      gates,
      alertmanager,
      talconfigFile,
      settingsFile,
      talconfig: talconfigFile && parseFile(talconfigSchema, talconfigFile, problems),
      settings: settingsFile && parseFile(settingsSchema, settingsFile, problems)?.data,
    })
  }
  return { root, file, repository, clusters, clusterDirs, problems }
}
