/**
 * A rule of the repository is data and a small pure check: it looks at the view, and says what is wrong and where. One
 * file a family; catalog.ts lists them, `k8sops validate --rules` prints them.
 */
import { normalPath } from '../build.ts'
import { type FluxKustomization, nameOf } from '../flux.ts'
import { layout } from '../layout.ts'
import type { Finding, YamlPath } from '../locate.ts'
import type { Release } from '../releases.ts'
import type { ClusterView, RenderedObject, RepositoryView } from './view.ts'

export interface Rule {
  /** Stable: it stands in waivers and in SARIF. */
  id: string
  /** What must be so, in one sentence. */
  demands: string
  why: string
  fix: string
  /** Where it comes from: a requirement (`NFR15`), a section of the design, Flux's own behaviour. */
  source: string
  /** `house` rules are conventions of this repository; the others are true wherever Flux is used. */
  scope: 'any' | 'house'
  /**
   * `itself`: at one object or file at a time, so that what else there is makes no difference; `sources`: at files and at which
   * Kustomizations there are. Without it at whatever is rendered.
   */
  looksAt?: 'itself' | 'sources'
  check: (view: RepositoryView) => Finding[]
}

/** A check of each cluster by itself; what several clusters share is found once for each, and reported once. */
export const each =
  (check: (cluster: ClusterView) => Finding[]): Rule['check'] =>
  ({ clusters }) =>
    clusters.flatMap((cluster) => check(cluster).map((finding) => ({ ...finding, cluster: cluster.name })))

/** `Kind namespace/name`. */
export const identity = ({ kind, namespace, name }: { kind: string; namespace?: string | undefined; name: string }) =>
  `${kind} ${namespace ? `${namespace}/` : ''}${name}`

/** A finding about a rendered object, at `path` of the file that it came from (of the release, when a chart made it). */
export function about(one: RenderedObject, message: string, path: YamlPath = []): Finding {
  const { release, kustomization } = one
  if (release) {
    const from = `rendered by HelmRelease ${release.namespace}/${release.name}`
    return aboutRelease(release, `${identity(one)} (${from}): ${message}`, ['spec'])
  }
  return {
    file: one.manifest.file ?? fileOf(kustomization),
    object: { kind: one.kind, name: one.name },
    path,
    message: `${identity(one)}: ${message}`,
    owners: [ownerOf(one)],
  }
}

/** Whose it is: a Kustomization by whoever lists it is its own matter, not that of all others in the list. */
const ownerOf = ({ kind, group, namespace, name, kustomization }: RenderedObject): string =>
  kind === 'Kustomization' && group === 'kustomize.toolkit.fluxcd.io'
    ? `${namespace ?? kustomization.namespace}/${name}`
    : nameOf(kustomization)

export const aboutRelease = (release: Release, message: string, path: YamlPath = ['spec']): Finding => ({
  file: release.file ?? layout.repositoryFile,
  object: { kind: 'HelmRelease', name: release.name },
  path,
  message: message.includes(`HelmRelease ${release.namespace}/`)
    ? message
    : `HelmRelease ${release.namespace}/${release.name}: ${message}`,
  owners: [release.kustomization],
})

/** Where it is declared; the entry, which no file declares, is what its path holds. */
const fileOf = ({ file, spec }: FluxKustomization): string => file ?? `${normalPath(spec.path)}/kustomization.yaml`

export const aboutKustomization = (
  kustomization: FluxKustomization,
  message: string,
  path: YamlPath = ['spec'],
): Finding => ({
  file: fileOf(kustomization),
  object: { kind: 'Kustomization', name: kustomization.name },
  path,
  message: `Kustomization ${kustomization.namespace}/${kustomization.name}: ${message}`,
  owners: [nameOf(kustomization)],
})
