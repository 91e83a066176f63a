/** GitRepositories: the lab's own repository stands for the remote that the cluster follows. */
import type { KubeObject, KubePort } from '../../types.ts'
import type { Artifact, ArtifactStore } from './artifacts.ts'
import { checkCredentials } from './credentials.ts'
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
}

/** Fetches and packs what a GitRepository asks for. Throws SourceError with source-controller's reasons. */
export async function fetchGit(source: GitSource, object: KubeObject): Promise<SourceStatus> {
  const { metadata } = object
  const { url, ref, ignore, secretRef } = object.spec as unknown as GitRepositorySpec
  const namespace = metadata.namespace ?? ''
  if (!URL.canParse(url)) throw new SourceError('URLInvalid', `failed to parse url '${url}'`, true)
  if (secretRef) await checkCredentials(source.reads(), url, namespace, secretRef.name)
  const cloning = `failed to checkout and determine revision: unable to clone '${url}'`
  if (!source.standsFor(url, object)) {
    throw new SourceError(
      'GitOperationFailed',
      `${cloning}: the lab has no such remote, only the repository it was made from`,
    )
  }
  const { commit, revision } = await resolveReference(source.repository, ref).catch((error: Error) => {
    if (!(error instanceof UnknownReferenceError)) throw error
    throw new SourceError('GitOperationFailed', `${cloning}: ${error.message}`)
  })
  const before = object.status as
    | { artifact?: { revision?: string; url?: string }; observedIgnore?: string }
    | undefined
  const current = before?.artifact?.revision === revision && before.observedIgnore === ignore
  const stored = (artifact: Artifact) =>
    storedStatus(object, artifact, `stored artifact for revision '${artifact.revision}'`)
  if (current) return stored(before.artifact as Artifact)
  const archive = await packCommit(source.repository, commit, ignore)
  const artifact = await source.store.put(
    { kind: 'GitRepository', namespace, name: metadata.name },
    revision,
    archive,
    'tar.gz',
  )
  return { ...stored(artifact), ...(ignore === undefined ? {} : { observedIgnore: ignore }) }
}
