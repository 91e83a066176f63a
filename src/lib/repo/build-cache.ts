/**
 * Remembers what kustomize built, for exactly the files that it was built of: to see what a change affects the Kustomizations that contain others
 * are built, of which it mostly touches none, and a comparison builds those of both its sides.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { type BuildSpec, buildPath, type Kustomize, normalPath } from './build.ts'
import { isFields } from './fields.ts'
import { type Manifest, manifest } from './manifests.ts'
import { type Files, reachOf, referencesIn } from './reach.ts'
import { keptJson } from './rendering-cache.ts'

/** Of a repository some eight, of each of its states: an operator and a few labs have that many. */
const kept = 100

type Built = Pick<Manifest, 'text' | 'file'>[]

/** Those that are being built: the two sides of a comparison ask for the same at the same time. */
const building = new Map<string, Promise<Built>>()

/** @param tool path of the pinned kustomize, with its version in it @param files the repository's @returns `buildPath`, as far as it can be remembered */
export const rememberingBuild =
  (tool: string, files: Files) =>
  async (root: string, spec: BuildSpec, kustomize: Kustomize): Promise<Manifest[]> => {
    const key = keyOf(root, spec, tool, files)
    if (key === undefined) return buildPath(root, spec, kustomize)
    const built =
      building.get(key) ?? readOrBuild(key, () => buildPath(root, spec, kustomize)).finally(() => building.delete(key))
    building.set(key, built)
    return (await built).map(({ text, file }) => manifest(text, file))
  }

async function readOrBuild(key: string, build: () => Promise<Manifest[]>): Promise<Built> {
  const entry = keptJson('builds', key, kept)
  const known = entry.read()
  if (isBuilt(known)) return known
  const built = (await build()).map(({ text, file }) => ({ text, file }))
  entry.write(built)
  return built
}

const isBuilt = (value: unknown): value is Built =>
  Array.isArray(value) && value.every((one) => isFields(one) && typeof one.text === 'string')

/** Changes with everything that decides; undefined where that is not all known. */
function keyOf(root: string, spec: BuildSpec, tool: string, files: Files): string | undefined {
  // Without a kustomization.yaml whatever lies there counts, by its name alone.
  if (!files.has(`${normalPath(spec.path)}/kustomization.yaml`)) return undefined
  const reached = reachOf(files, spec)
  // What is there, and nobody has read.
  if ([...reached.missing].some((path) => existsSync(join(root, path)))) return undefined
  const hash = createHash('sha256').update(JSON.stringify([program(), tool, spec, [...reached.missing]]))
  for (const path of reached.files) {
    const file = files.get(path)
    // What is no text was not read as it is; and what comes from elsewhere may be another tomorrow.
    if (!file || file.text.includes('\uFFFD')) return undefined
    if (/\/[Kk]ustomization[^/]*$/.test(path) && referencesIn(file).some((one) => remote.test(one))) return undefined
    hash.update(`${path} ${file.text.length}\n`).update(file.text)
  }
  return hash.digest('hex').slice(0, 32)
}

const remote = /:\/\/|\?ref=|^[\w.-]+@|^[\w-]+(\.[\w-]+)*\.[a-z]{2,}[/:]/

let identity: string | undefined
/** What decides how the text of a build is cut into manifests. */
function program(): string {
  const names = ['build', 'manifests', 'build-cache'].map((name) => `${name}${extname(import.meta.filename)}`)
  identity ??= names
    .reduce((hash, name) => hash.update(readFileSync(join(import.meta.dirname, name))), createHash('sha256'))
    .digest('hex')
  return identity
}
