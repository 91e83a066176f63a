/** A view from a few files, as rendering them would give it: what stands below a Flux Kustomization's path is applied by it. */
import { normalPath } from '../../../../src/lib/repo/build.ts'
import { entryKustomization, fluxKustomization, isFluxKustomization } from '../../../../src/lib/repo/flux.ts'
import { manifest, splitDocuments } from '../../../../src/lib/repo/manifests.ts'
import type { RenderedKustomization } from '../../../../src/lib/repo/render.ts'
import { trustedRegistries } from '../../../../src/lib/repo/rules/registries.ts'
import { clusterView, type RepositoryView } from '../../../../src/lib/repo/rules/view.ts'
import { readSchemaTables } from '../../../../src/lib/repo/schema-tables.ts'
import { type SourceFile, sourceFile } from '../../../../src/lib/repo/source-files.ts'
import { projectRoot } from '../../../repo/tool.ts'

export type Texts = Record<string, string>

/** Cluster name -> settings. */
export type Clusters = Record<string, Record<string, string>>

const ownKustomization = /\/(kustomization\.yaml|.*\.sops\.yaml)$/

/** What is malformed is not rendered. */
const documentsOf = ({ path, text, errors }: SourceFile) =>
  ownKustomization.test(path) || errors().length > 0
    ? []
    : splitDocuments(text).map((document) => manifest(document, path))

/** With several clusters, files below clusters/<name>/ are that cluster's, all others are of both. */
export async function viewOf(texts: Texts, clusters: Clusters = { infra: {} }): Promise<RepositoryView> {
  const files = Object.entries(texts).map(([path, text]) => sourceFile(path, text))
  const views = Object.entries(clusters).map(async ([name, settings]) => {
    const own = files.filter(
      ({ path }) =>
        /^kubernetes\/.*\.yaml$/.test(path) &&
        (!/^kubernetes\/clusters\//.test(path) || path.includes(`clusters/${name}/`)),
    )
    return clusterView(projectRoot, { name, settings }, render(own, name))
  })
  return {
    root: projectRoot,
    files,
    judged: files,
    clusters: await Promise.all(views),
    facts: [],
    registries: trustedRegistries,
    schemas: await readSchemaTables(projectRoot),
  }
}

function render(files: SourceFile[], cluster: string): RenderedKustomization[] {
  const entry = entryKustomization(`kubernetes/clusters/${cluster}/flux`)
  const all = files.filter(({ text }) => /^apiVersion:/m.test(text)).flatMap(documentsOf)
  const kustomizations = all.filter(isFluxKustomization).map((one) => fluxKustomization(one, 'flux-system/flux-system'))
  const ownerOf = (file = '') =>
    kustomizations.find(({ spec }) => file.startsWith(`${normalPath(spec.path)}/`)) ?? entry
  return [entry, ...kustomizations].map((kustomization) => ({
    kustomization,
    manifests: all.filter(({ file }) => ownerOf(file) === kustomization),
    findings: [],
  }))
}

/** An object whose `rest` begins on line 6. */
export const object = (apiVersion: string, kind: string, name: string, rest = '', namespace = 'ns'): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\n${rest}${rest.endsWith('\n') ? '' : '\n'}`

export const ks = (name: string, path: string, rest = ''): string =>
  object(
    'kustomize.toolkit.fluxcd.io/v1',
    'Kustomization',
    name,
    `spec:\n  interval: 5m\n  path: ./${path}\n${rest}`,
    'flux-system',
  )

/** A release of a chart that is known from its record, with its source. `values` begin on line 10. */
export const release = (chart: string, version: string, values: string, name = chart): string =>
  `${object(
    'helm.toolkit.fluxcd.io/v2',
    'HelmRelease',
    name,
    `spec:\n  chartRef:\n    kind: OCIRepository\n    name: ${name}\n  values:\n${values.replace(/^(?=.)/gm, '    ')}`,
  )}---\n${object('source.toolkit.fluxcd.io/v1', 'OCIRepository', name, `spec:\n  url: oci://host/${chart}\n  ref:\n    tag: ${version}\n`)}`
