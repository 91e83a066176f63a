/**
 * Which Kustomizations have what others refer to, told by their sources: so that a part of a cluster can be judged without the rest.
 * Too many do no harm. What is still missing shows as a finding, and is looked for in the whole cluster before it is reported.
 */
import { readChartFacts } from './chart-facts.ts'
import { groupsOfChart, isCustomGroup } from './custom-groups.ts'
import { type FluxKustomization, nameOf } from './flux.ts'
import { type Files, reachedFiles } from './reach.ts'
import { declaredIn, type SourceFile } from './source-files.ts'

export interface Sources {
  root: string
  files: Files
  /** Of the cluster: variables that are substituted everywhere. */
  settings: Record<string, string>
}

/** @param chosen whose references count @returns names of those of `others` that have, or may have, what they refer to */
export async function referredTo(
  chosen: readonly FluxKustomization[],
  others: readonly FluxKustomization[],
  sources: Sources,
): Promise<Set<string>> {
  const texts = chosen.flatMap((one) => textsOf(one, sources))
  const words = new Set(texts.flatMap(({ text }) => wordsIn(text)))
  const groups = new Set(texts.flatMap(({ objects }) => objects.flatMap(({ apiVersion }) => customGroup(apiVersion))))
  const found = new Set<string>()
  let waiting = await Promise.all(
    others.map(async (one) => {
      const own = textsOf(one, sources)
      return { one, ...definedIn(own), brings: await bringsOneOf(groups, own, sources.root) }
    }),
  )
  // Releases wait for each other in chains, of which every link counts.
  for (;;) {
    const next = waiting.filter(({ names, brings }) => brings || names.some((name) => words.has(name)))
    if (next.length === 0) return found
    for (const { one, awaited } of next) {
      found.add(nameOf(one))
      for (const name of awaited) words.add(name)
    }
    waiting = waiting.filter(({ one }) => !found.has(nameOf(one)))
  }
}

interface Text {
  text: string
  objects: ReturnType<typeof declaredIn>
}

/** What it is built of, with the variables that are known filled in. */
function textsOf({ spec, substitute }: FluxKustomization, { files, settings }: Sources): Text[] {
  return [...reachedFiles(files, spec)].map((path) => {
    const file = files.get(path) as SourceFile
    const text = file.text.includes('${') ? filled(file.text, { ...settings, ...substitute }) : file.text
    return { text, objects: declaredIn(text === file.text ? file : { ...file, text }) }
  })
}

const filled = (text: string, variables: Record<string, string>) =>
  text.replaceAll(/\$\{(\w+)(?::?[-=]([^}]*))?\}/g, (all, name: string, usual?: string) =>
    String(variables[name] ?? usual ?? all),
  )

/** Neither comments nor what says only how something is called: keys, and the API of an object. */
const saidNothing = /(^|\s)#.*$|^apiVersion:.*$|^\s*(- )*["']?[\w./-]+["']?:(?=\s|$)/gm

/** Words of values, parts of host names, and what stands before a dash: `grafana-admin` may be of `grafana`. */
const wordsIn = (text: string): string[] =>
  (text.replaceAll(saidNothing, '').match(/[A-Za-z0-9][\w.-]*/g) ?? []).flatMap((word) =>
    [word, ...(word.includes('.') ? word.split('.') : [])].flatMap((part) => [
      part,
      ...[...part.matchAll(/-/g)].map(({ index }) => part.slice(0, index)),
    ]),
  )

/** Names of its objects, and those that releases give to what their charts make; and which releases its own wait for. */
function definedIn(texts: readonly Text[]): { names: string[]; awaited: string[] } {
  const objects = texts.flatMap((one) => one.objects)
  const releases = objects.filter(({ kind }) => kind === 'HelmRelease').map(({ text }) => text)
  const given = releases.flatMap(namesIn)
  const awaited = releases.flatMap((text) => {
    const [, list = ''] = /^ {2}dependsOn:\n((?: {4,}.*\n)*)/m.exec(text) ?? []
    return [...list.matchAll(/name: (\S+)/g)].map(([, name = '']) => name)
  })
  return { names: [...objects.flatMap(({ name }) => (name ? [name] : [])), ...given], awaited }
}

/** Of what a chart makes: told by the key, and by a dash, as there are too many things called `http`. */
const namesIn = (release: string): string[] =>
  [
    ...release.matchAll(/^[ \t]+(?:- )?(?:name|fullnameOverride|nameOverride):[ \t]*["']?([a-z0-9]+(?:-[a-z0-9]+)+)/gm),
  ].map(([, name = '']) => name)

/** Names that a file's releases give to what their charts make. */
export const namesGiven = (file: SourceFile | undefined): string[] =>
  (file ? declaredIn(file) : []).flatMap(({ kind, text }) => (kind === 'HelmRelease' ? namesIn(text) : []))

/** Kubernetes' own kinds are there whoever is not. */
const customGroup = (apiVersion: string): string[] => {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')))
  return isCustomGroup(group) ? [group] : []
}

/** Whether it has a CRD of one of the groups: as a manifest, or in a chart, by its record. */
async function bringsOneOf(groups: ReadonlySet<string>, texts: readonly Text[], root: string): Promise<boolean> {
  if (groups.size === 0) return false
  const isOf = (resource: string) => groups.has(resource.slice(resource.indexOf('.') + 1))
  if (
    texts.some(({ objects }) =>
      objects.some(({ kind, name }) => kind === 'CustomResourceDefinition' && isOf(name ?? '')),
    )
  )
    return true
  const all = texts.map(({ text }) => text).join('\n')
  if (!all.includes('kind: HelmRelease')) return false
  const words = (pattern: RegExp) => [...all.matchAll(pattern)].map(([, word = '']) => word)
  const charts = [...words(/\burl: *["']?oci:\/\/\S+\/([\w.-]+)/g), ...words(/^ +chart: *["']?([\w.-]+)/gm)]
  const versions = words(/^ +(?:tag|version): *["']?([\w.+-]+)/gm)
  const pairs = charts.flatMap((chart) => versions.map((version) => ({ chart, version })))
  const brought = await Promise.all(
    pairs.map(async ({ chart, version }) => groupsOfChart(chart, await readChartFacts(root, chart, version))),
  )
  return brought.flat().some((group) => groups.has(group))
}
