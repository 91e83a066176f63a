/** GitRepositories: the lab's own repository stands for the remote that the cluster follows, a stand-in for those of others. */
import type { KubeObject, KubePort } from '../../types.ts'
import type { Artifact, ArtifactStore } from './artifacts.ts'
import { checkCredentials } from './credentials.ts'
import { standInArchive, standInRevision } from './foreign.ts'
import { type GitReference, packCommit, resolveReference, UnknownReferenceError } from './git-revision.ts'
import { SourceError, type SourceStatus, storedStatus } from './status.ts'

interface GitRepositorySpec {
  url: string
  ref?: GitReference
  ignore?: string
  secretRef?: { name: string }
}

export interface GitSource {
  /** The materialised repository. */
  repository: string
  store: ArtifactStore
  reads(): KubePort | undefined
  /** Whether the lab's repository stands for this remote. */
  standsFor(url: string, object: KubeObject): boolean
  /** Paths of another remote that Kustomizations read; none, and it fails as one that can't be cloned. */
  pathsReadOf(object: KubeObject): string[]
}

/** Fetches and packs what a GitRepository asks for. Throws SourceError with source-controller's reasons. */
export async function fetchGit(source: GitSource, object: KubeObject): Promise<SourceStatus> {
  const { metadata } = object
  const { url, ref, ignore, secretRef } = object.spec as unknown as GitRepositorySpec
  const namespace = metadata.namespace ?? ''
  if (!URL.canParse(url)) throw new SourceError('URLInvalid', `failed to parse url '${url}'`, true)
  if (secretRef) await checkCredentials(source.reads(), url, namespace, secretRef.name)
  const cloning = `failed to checkout and determine revision: unable to clone '${url}'`
  const own = source.standsFor(url, object)
  const paths = own ? [] : source.pathsReadOf(object)
  if (!own && paths.length === 0) {
    throw new SourceError(
      'GitOperationFailed',
      `${cloning}: the lab has no such remote, only the repository it was made from`,
    )
  }
  const store = (revision: string, archive: Buffer) =>
    source.store.put({ kind: 'GitRepository', namespace, name: metadata.name }, revision, archive, 'tar.gz')
  const stored = (artifact: Artifact) =>
    storedStatus(object, artifact, `stored artifact for revision '${artifact.revision}'`)
  if (!own) {
    const archive = standInArchive(url, paths)
    return stored(await store(standInRevision(archive, ref), archive))
  }
  const { commit, revision } = await resolveReference(source.repository, ref).catch((error: Error) => {
    if (!(error instanceof UnknownReferenceError)) throw error
    throw new SourceError('GitOperationFailed', `${cloning}: ${error.message}`)
  })
  const before = object.status as
    | { artifact?: { revision?: string; url?: string }; observedIgnore?: string }
    | undefined
  const current = before?.artifact?.revision === revision && before.observedIgnore === ignore
  if (current) return stored(before.artifact as Artifact)
  const archive = await packCommit(source.repository, commit, ignore)
  return { ...stored(await store(revision, archive)), ...(ignore === undefined ? {} : { observedIgnore: ignore }) }
}
