/**
 * Builds the path of a Flux Kustomization as kustomize-controller does: the directory's kustomization.yaml (or a generated
 * one) with the object's patches, namespace, components, images and name affixes merged in, then `kustomize build`
 * without load restrictions. Rules of github.com/fluxcd/pkg/kustomize v1.35.6.
 */
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { type Manifest, manifest, parseManifest, splitDocuments } from './manifests.ts'
import { parse } from './yaml.ts'

/** Runs `kustomize build DIRECTORY` and gives its standard output. Rejects with ToolError when it fails. */
export type Kustomize = (directory: string) => Promise<string>

/** The part of a Kustomization's spec that changes what is built. */
export interface BuildSpec {
  path: string
  targetNamespace?: string
  namePrefix?: string
  nameSuffix?: string
  patches?: { patch: string; target?: object }[]
  components?: string[]
  images?: { name: string; newName?: string; newTag?: string; digest?: string }[]
}

interface KustomizationFile {
  resources?: string[]
  patches?: object[]
  components?: string[]
  images?: { name: string; newName?: string; newTag?: string; digest?: string }[]
  [key: string]: unknown
}

const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/**
 * What the path contains, before substitution.
 * @param root the repository's root @param spec `path` is relative to it @throws whatever `kustomize` rejects with
 */
export async function buildPath(root: string, spec: BuildSpec, kustomize: Kustomize): Promise<Manifest[]> {
  const path = normalPath(spec.path)
  const directory = join(root, path)
  const entries = readdirSync(directory)
  const own = kustomizationNames.find((name) => entries.includes(name))
  const file = own
    ? (parse(readFileSync(join(directory, own), 'utf8')) as KustomizationFile)
    : { resources: manifestsBelow(directory, '') }
  const farm = mkdtempSync(join(inMemory(), 'k8sops-build-'))
  try {
    mirror(root, farm, path)
    // JSON is YAML, and needs no care with quoting.
    writeFileSync(join(farm, path, own ?? 'kustomization.yaml'), JSON.stringify(merged(file ?? {}, spec)))
    const output = await kustomize(join(farm, path)).catch((error: unknown) => {
      // Where the copy stood is nobody's business, and another place each time.
      if (error instanceof Error) error.message = error.message.replaceAll(`${farm}/`, '')
      throw error
    })
    // Flux asks for the origins, too, where a file of one's own has no resources (generators only), and applies them.
    const keepsOrigin = own !== undefined && (file?.resources ?? []).length === 0
    return splitDocuments(output).map((text) => withOrigin(text, path, keepsOrigin))
  } finally {
    rmSync(farm, { recursive: true })
  }
}

/** `./kubernetes/x/` -> `kubernetes/x`; Flux resolves against the source's root and never leaves it. */
export function normalPath(path: string): string {
  return posix.normalize(`/${path}`).replace(/^\/|\/$/g, '')
}

function merged(file: KustomizationFile, spec: BuildSpec): KustomizationFile {
  const images = [...(file.images ?? [])]
  for (const image of spec.images ?? []) {
    const index = images.findIndex((candidate) => candidate.name === image.name)
    if (index === -1) images.push(image)
    else images[index] = { ...images[index], ...image }
  }
  return {
    ...file,
    apiVersion: file.apiVersion ?? 'kustomize.config.k8s.io/v1beta1',
    kind: file.kind ?? 'Kustomization',
    ...(spec.targetNamespace ? { namespace: spec.targetNamespace } : {}),
    ...(spec.namePrefix ? { namePrefix: spec.namePrefix } : {}),
    ...(spec.nameSuffix ? { nameSuffix: spec.nameSuffix } : {}),
    patches: [...(file.patches ?? []), ...(spec.patches ?? [])],
    components: [...(file.components ?? []), ...(spec.components ?? [])],
    images,
    // Says for each object which file it came from; taken off again below.
    buildMetadata: ['originAnnotations'],
  }
}

/** A hundred links for each Kustomization: on a disk's file system they take longer than kustomize does. */
function inMemory(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

/**
 * A copy of the repository in which only the directories down to `path` are real and all else are links into the
 * original, so that a changed kustomization.yaml can stand in its place without a write to the working tree.
 */
function mirror(root: string, farm: string, path: string): void {
  const segments = path === '' ? [] : path.split('/')
  for (let depth = 0; depth <= segments.length; depth++) {
    const here = segments.slice(0, depth).join('/')
    const next = segments[depth]
    mkdirSync(join(farm, here), { recursive: true })
    for (const name of readdirSync(join(root, here))) {
      const replaced = next === undefined ? kustomizationNames.includes(name) : name === next
      if (!replaced) symlinkSync(join(root, here, name), join(farm, here, name))
    }
  }
}

/** Without a kustomization.yaml Flux takes every manifest below; a directory that has one is taken as a whole. */
function manifestsBelow(directory: string, prefix: string): string[] {
  return readdirSync(join(directory, prefix), { withFileTypes: true })
    .sort((a, b) => a.name.localeCompare(b.name))
    .flatMap((entry) => {
      const path = posix.join(prefix, entry.name)
      if (!entry.isDirectory()) return /\.ya?ml$/.test(entry.name) ? [path] : []
      const isBase = readdirSync(join(directory, path)).some((name) => kustomizationNames.includes(name))
      return isBase ? [path] : manifestsBelow(directory, path)
    })
}

/** Takes the origin off the text: kustomize puts it as a block scalar among sorted annotations. */
function withOrigin(text: string, path: string, keepsOrigin: boolean): Manifest {
  const block = /^( *)config\.kubernetes\.io\/origin: \|\n((?:\1 +.*\n?)*)/m.exec(text)
  if (!block) return manifest(text, undefined)
  const origin = parseManifest(block[2] ?? '') as { path?: string; configuredIn?: string }
  const from = origin.path ?? origin.configuredIn
  const rest = keepsOrigin ? text : text.replace(block[0], '')
  // The annotation was the only one: an `annotations:` without children would be null.
  const clean = rest.replace(/^( *)annotations:\n(?!\1 )/m, '')
  return manifest(clean, from === undefined ? undefined : posix.normalize(posix.join(path, from)))
}
