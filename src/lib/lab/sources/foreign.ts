/**
 * Repositories of others, which the lab can't clone: an archive in which every path that a Kustomization reads holds one ConfigMap
 * that says so. What the real one holds is not rehearsed.
 */
import type { KubeObject } from '../../types.ts'
import { packTgz } from '../charts/archive.ts'
import { sha256 } from '../charts/index.ts'
import type { GitReference } from './git-revision.ts'

interface Reading {
  path?: string
  sourceRef?: { kind?: string; name?: string; namespace?: string }
}

/** The paths that Kustomizations read of a GitRepository, in a fixed order. */
export function pathsReadOf(source: KubeObject, kustomizations: KubeObject[]): string[] {
  const paths = kustomizations.flatMap(({ metadata, spec }) => {
    const { path = './', sourceRef } = (spec ?? {}) as Reading
    const isMine =
      sourceRef?.kind === 'GitRepository' &&
      sourceRef.name === source.metadata.name &&
      (sourceRef.namespace ?? metadata.namespace) === source.metadata.namespace
    return isMine ? [path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '')] : []
  })
  return [...new Set(paths)].sort()
}

/** @param paths without leading `./`; the empty one is the root */
export function standInArchive(url: string, paths: string[]): Buffer {
  const content = (path: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `lab-stand-in-${sha256(Buffer.from(`${url} ${path}`)).slice(-8)}` },
    data: { url, path, why: 'the lab has no such remote, only the repository that it was made from' },
  })
  return packTgz(
    new Map(
      paths.map((path) => [
        `${path ? `${path}/` : ''}lab-stand-in.yaml`,
        `${JSON.stringify(content(path), null, 1)}\n`,
      ]),
    ),
  )
}

/** As Flux writes a revision; the commit is made up from what the archive holds. */
export function standInRevision(archive: Buffer, { commit, name, tag, branch, semver }: GitReference = {}): string {
  const sha =
    commit ??
    sha256(archive)
      .replace(/^sha256:/, '')
      .slice(0, 40)
  const label = name ?? tag ?? semver ?? branch ?? 'master'
  return `${label}@sha1:${sha}`
}
