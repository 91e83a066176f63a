/** Which file an object comes from, told by its kind and name among the files that its Kustomization reads. */
import type { KubeObject } from '../types.ts'
import type { FluxKustomization } from './flux.ts'
import { reachedFiles } from './reach.ts'
import { type Declared, declaredIn, type SourceFile } from './source-files.ts'

interface Place extends Declared {
  file: string
}

const reached = new WeakMap<FluxKustomization, Place[]>()

/** The file that declares it, or undefined when none does by that name (a generator, a resource from elsewhere). */
export function originOf(
  object: KubeObject,
  kustomization: FluxKustomization,
  files: ReadonlyMap<string, SourceFile>,
): string | undefined {
  const places = reached.get(kustomization) ?? placesOf(kustomization, files)
  reached.set(kustomization, places)
  const { apiVersion, kind, metadata } = object
  const ofKind = places.filter((place) => place.kind === kind && place.apiVersion === apiVersion)
  const wanted = String(metadata.name)
  const named = ofKind.filter(({ name }) => name === wanted)
  const [only, more] = named.length > 0 ? named : ofKind
  if (only && !more) return only.file
  // Of several with one name the namespace decides; a name that a variable or a suffix makes is told by its beginning.
  const best =
    named.find(({ namespace }) => namespace === metadata.namespace) ??
    named[0] ??
    ofKind.find(({ name = '' }) => wanted.startsWith(name) || name.includes('${'))
  return best?.file
}

function placesOf(kustomization: FluxKustomization, files: ReadonlyMap<string, SourceFile>): Place[] {
  return [...reachedFiles(files, kustomization.spec)].flatMap((path) => {
    const file = files.get(path)
    if (!file || path.endsWith('/kustomization.yaml')) return []
    return declaredIn(file).map((declared) => ({ ...declared, file: path }))
  })
}
