/** What Flux would apply to a cluster: every Kustomization from the entry downwards, built, patched and substituted. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { buildPath, type Kustomize, normalPath } from './build.ts'
import { substitute, UnsupportedSubstitution } from './envsubst.ts'
import { entryKustomization, type FluxKustomization, fluxKustomization, isFluxKustomization, nameOf } from './flux.ts'
import { layout } from './layout.ts'
import type { Finding } from './locate.ts'
import { type Manifest, manifest } from './manifests.ts'
import { stringify } from './yaml.ts'

export interface RenderedKustomization {
  kustomization: FluxKustomization
  /** Empty when it could not be built: then `findings` says why. */
  manifests: Manifest[]
  findings: Finding[]
  /** Nobody wanted it built: of its manifests nothing is known. */
  isSkipped?: true
}

export interface RenderOptions {
  kustomize: Kustomize
  /** How a path is built with it; `buildPath` without it. */
  build?: typeof buildPath
  /** Stop as soon as this holds of what has been rendered so far. */
  until?: (rendered: RenderedKustomization[]) => boolean
  /** Which are to be built; all without it. Those above them have to be among them. */
  isWanted?: (kustomization: FluxKustomization) => boolean
  /** What is rendered already, and is taken as it is. */
  known?: (kustomization: FluxKustomization) => RenderedKustomization | undefined
  /** Which of the Kustomizations that are ready to be built should come first (higher first). */
  priority?: (kustomization: FluxKustomization) => number
}

/** Objects that later Kustomizations substitute from, by `Kind/namespace/name`. */
type Sources = Map<string, Record<string, string>>

/**
 * Renders a cluster's Kustomizations, parents before children, side by side where they can be. One that fails does not
 * stop the others; its children are unknown then, and it says so in its findings. Secrets stay encrypted.
 * @param root the repository's root @param cluster a directory under kubernetes/clusters/
 */
export async function renderCluster(
  root: string,
  cluster: string,
  options: RenderOptions,
): Promise<RenderedKustomization[]> {
  const done: RenderedKustomization[] = []
  const sources: Sources = new Map()
  const seen = new Set<string>()
  const waiting = [entryKustomization(layout.fluxEntry(cluster))]
  /** In the order in which they were begun, which is the order in which they count: the result is the same each time. */
  const begun: Promise<RenderedKustomization>[] = []
  const widest = availableParallelism() + 1
  while (waiting.length + begun.length > 0) {
    const enough = options.until?.(done) === true
    while (!enough && begun.length < widest) {
      const next = nextOf(waiting, sources, options, begun.length === 0)
      if (!next) break
      waiting.splice(waiting.indexOf(next), 1)
      const known = options.known?.(next)
      begun.push(known ? Promise.resolve(known) : renderOne(root, next, sources, options))
    }
    const result = await begun.shift()
    if (!result) break
    if (enough) continue
    done.push(result)
    collectSources(result, sources)
    for (const child of childrenOf(result)) {
      if (!seen.has(nameOf(child))) waiting.push(child)
      // What was known before has been told before.
      else if (!result.findings.some(({ message }) => message === duplicate(child).message))
        result.findings.push(duplicate(child))
      seen.add(nameOf(child))
    }
  }
  return done
}

/** One whose variables are known; when nothing more can be learnt, another goes ahead and reports what is missing. */
function nextOf(
  waiting: FluxKustomization[],
  sources: Sources,
  { priority }: RenderOptions,
  anyway: boolean,
): FluxKustomization | undefined {
  const ready = waiting.filter((kustomization) => missingSources(kustomization, sources).length === 0)
  const candidates = ready.length > 0 || !anyway ? ready : waiting
  return priority ? candidates.toSorted((a, b) => priority(b) - priority(a))[0] : candidates[0]
}

const sourceKey = ({ namespace }: FluxKustomization, { kind, name }: { kind: string; name: string }) =>
  `${kind}/${namespace}/${name}`

const missingSources = (kustomization: FluxKustomization, sources: Sources) =>
  kustomization.substituteFrom.filter(
    (reference) => !reference.optional && !sources.has(sourceKey(kustomization, reference)),
  )

async function renderOne(
  root: string,
  kustomization: FluxKustomization,
  sources: Sources,
  { kustomize, isWanted, build = buildPath }: RenderOptions,
): Promise<RenderedKustomization> {
  if (isWanted?.(kustomization) === false) return { kustomization, manifests: [], findings: [], isSkipped: true }
  const findings: Finding[] = []
  const complain: Complain = (message, text, file) =>
    findings.push({
      file: file ?? kustomization.file ?? layout.repositoryFile,
      message: `Kustomization ${nameOf(kustomization)}: ${message}`,
      text,
    })
  const path = normalPath(kustomization.spec.path)
  const refused = (message: string, text: string) => {
    complain(message, text)
    return { kustomization, manifests: [], findings }
  }
  if (kustomization.isForeign) return { kustomization, manifests: [], findings }
  if (kustomization.sourceKind !== 'GitRepository') {
    return refused(
      `its source is a ${kustomization.sourceKind}, which this repository does not hold: not rendered`,
      'sourceRef:',
    )
  }
  if (!existsSync(join(root, path))) return refused(`path ${path} does not exist`, 'path:')
  for (const { kind, name } of missingSources(kustomization, sources)) {
    complain(
      `substituteFrom: ${kind} ${kustomization.namespace}/${name} is not among what is rendered`,
      `name: ${name}`,
    )
  }
  try {
    const built = await build(root, kustomization.spec, kustomize)
    const variables = variablesOf(kustomization, sources)
    return { kustomization, manifests: built.map((one) => finish(one, kustomization, variables, complain)), findings }
  } catch (error) {
    return refused(`${path} cannot be built: ${error instanceof Error ? error.message : error}`, 'path:')
  }
}

/** `text` is what to look for in the file; `file` is the Kustomization's own when not given. */
type Complain = (message: string, text: string, file?: string) => void

/** Later references win over earlier ones, `substitute` over all; Flux drops line breaks from values. */
function variablesOf(kustomization: FluxKustomization, sources: Sources): Record<string, string> {
  const found = kustomization.substituteFrom.map((reference) => sources.get(sourceKey(kustomization, reference)) ?? {})
  const all: Record<string, string> = Object.assign({}, ...found, kustomization.substitute)
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, String(value).replaceAll('\n', '')]))
}

const substituteMark = 'kustomize.toolkit.fluxcd.io/substitute'

function finish(
  built: Manifest,
  kustomization: FluxKustomization,
  variables: Record<string, string>,
  complain: Complain,
): Manifest {
  const substituted = substituteManifest(built, variables, complain)
  const { labels, annotations } = kustomization.commonMetadata
  if (!labels && !annotations) return substituted
  const object = structuredClone(substituted.object())
  const metadata = object.metadata
  if (labels) metadata.labels = { ...metadata.labels, ...labels }
  if (annotations) metadata.annotations = { ...metadata.annotations, ...annotations }
  return manifest(stringify(object, { lineWidth: 0 }), built.file, object)
}

function substituteManifest(built: Manifest, variables: Record<string, string>, complain: Complain): Manifest {
  // Flux leaves the text alone, `$$` included, when there is not a single variable.
  if (Object.keys(variables).length === 0 || !built.text.includes('$')) return built
  if (built.text.includes(substituteMark)) {
    const { labels, annotations } = built.object().metadata
    if (labels?.[substituteMark] === 'disabled' || annotations?.[substituteMark] === 'disabled') return built
  }
  try {
    const { text, undefinedNames } = substitute(built.text, variables)
    for (const name of undefinedNames) {
      complain(`${described(built)} uses \${${name}}, which nothing defines`, `\${${name}`, built.file)
    }
    return manifest(text, built.file)
  } catch (error) {
    if (!(error instanceof UnsupportedSubstitution)) throw error
    complain(`${described(built)}: ${error.message}`, error.excerpt, built.file)
    return built
  }
}

const described = (one: Manifest): string => {
  const { name, namespace } = one.object().metadata
  return `${one.kind} ${namespace ? `${namespace}/` : ''}${name}`
}

function collectSources({ manifests }: RenderedKustomization, sources: Sources): void {
  for (const one of manifests) {
    if (one.kind !== 'ConfigMap') continue
    const { metadata, data } = one.object()
    sources.set(`ConfigMap/${metadata.namespace ?? 'default'}/${metadata.name}`, data ?? {})
  }
}

const childrenOf = ({ kustomization, manifests }: RenderedKustomization): FluxKustomization[] =>
  manifests.filter(isFluxKustomization).map((child) => fluxKustomization(child, nameOf(kustomization)))

const duplicate = (child: FluxKustomization): Finding => ({
  file: child.file ?? layout.repositoryFile,
  message: `Kustomization ${nameOf(child)} is declared twice`,
  text: `name: ${child.name}`,
})
