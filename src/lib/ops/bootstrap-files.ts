/** What bootstrap takes from the repository: which releases in which order, CRD groups, first secrets, Flux's entry. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import type { Kustomize } from '../repo/build.ts'
import { nameOf } from '../repo/flux.ts'
import { layout } from '../repo/layout.ts'
import { parseManifest, splitDocuments } from '../repo/manifests.ts'
import { type Release, releasesOf } from '../repo/releases.ts'
import { type RenderedKustomization, renderCluster } from '../repo/render.ts'
import type { KubeObject, Problem } from '../types.ts'
import { crdsOf } from './chart-crds.ts'

export interface BootstrapRelease {
  namespace: string
  name: string
  /** Chart version, as Flux would install it. */
  version: string
  runbook: string
}

export interface FirstSecret {
  namespace: string
  name: string
  keys: string[]
}

/** ClusterSecretStores that one Flux Kustomization brings. */
export interface SecretStores {
  kustomization: string
  names: string[]
  /** All that the Kustomization depends on is installed by bootstrap itself, so its stores needn't wait for Flux. */
  beforeFlux: boolean
  runbook: string
}

/** Paths are relative to the repository's root. */
export interface BootstrapFiles {
  secretsTemplate: string
  crdsHelmfile: string
  appsHelmfile: string
  /** In the order of installation. */
  releases: BootstrapRelease[]
  /** API groups that the charts of the CRD helmfile bring. */
  crdGroups: string[]
  /** Names of the CRDs that they bring, as far as their charts are known. */
  crds: string[]
  secrets: FirstSecret[]
  /** `namespace/name` of the Kustomizations that Flux starts from. */
  fluxKustomizations: string[]
  secretStores: SecretStores[]
}

/** Where Flux's own releases live; whatever is installed there comes last and can be skipped. */
export const fluxNamespace = 'flux-system'

/**
 * Reads a cluster's bootstrap files and renders what Flux would apply, to know versions and names. No network.
 * @param kustomize builds one directory
 * @param remember is given the releases when nothing is wrong with them: the helmfiles will ask for them again
 * @throws ConfigError with every problem
 */
export async function readBootstrapFiles(
  root: string,
  cluster: string,
  kustomize: Kustomize,
  remember: (releases: Release[]) => void = () => {},
): Promise<BootstrapFiles> {
  const paths = {
    secretsTemplate: `${layout.bootstrapOf(cluster)}/secrets.yaml.tpl`,
    crdsHelmfile: `${layout.bootstrap}/helmfile.d/00-crds.yaml.gotmpl`,
    appsHelmfile: `${layout.bootstrap}/helmfile.d/01-apps.yaml.gotmpl`,
  }
  const missing = Object.values(paths).filter((path) => !existsSync(join(root, path)))
  if (missing.length > 0) {
    throw new ConfigError(
      `cluster ${cluster} can't be bootstrapped: files are missing`,
      missing.map((file) => ({ file, line: 1, message: 'is missing' })),
    )
  }
  const [secrets, crdsText, appsText, rendered] = await Promise.all([
    readFile(join(root, paths.secretsTemplate), 'utf8').then(secretsOf),
    readFile(join(root, paths.crdsHelmfile), 'utf8'),
    readFile(join(root, paths.appsHelmfile), 'utf8'),
    renderCluster(root, cluster, { kustomize }),
  ])
  const { found, findings } = releasesOf(rendered)
  if (findings.length === 0 && rendered.every((one) => one.findings.length === 0)) remember(found)
  const problems: Problem[] = []
  const releases = listedReleases(appsText).map(({ name }) =>
    bootstrapRelease(name, found, paths.appsHelmfile, problems),
  )
  const crdReleases = listedReleases(crdsText)
  for (const { name } of crdReleases) {
    if (!found.some((release) => nameOf(release) === name)) {
      problems.push({ file: paths.crdsHelmfile, line: 1, message: `Flux installs no release ${name}` })
    }
  }
  if (releases.length === 0) problems.push({ file: paths.appsHelmfile, line: 1, message: 'lists no release' })
  if (problems.length > 0) throw new ConfigError(`cluster ${cluster} can't be bootstrapped`, problems)
  const entry = rendered.filter(({ kustomization }) => kustomization.parent === undefined)
  const entryNames = entry.map(({ kustomization }) => nameOf(kustomization))
  const children = rendered.filter(({ kustomization }) => entryNames.includes(nameOf(parentOf(kustomization))))
  return {
    ...paths,
    releases,
    crdGroups: [...new Set(crdReleases.flatMap(({ rest }) => rest))],
    crds: await crdNames(
      root,
      found.filter((release) => crdReleases.some(({ name }) => name === nameOf(release))),
    ),
    secrets,
    fluxKustomizations: [...entryNames, ...children.map(({ kustomization }) => nameOf(kustomization))],
    secretStores: secretStoresOf(rendered, found, releases),
  }
}

/** @param installed what bootstrap installs, out of the releases `found` */
export function secretStoresOf(
  rendered: Pick<RenderedKustomization, 'kustomization' | 'manifests'>[],
  found: Pick<Release, 'namespace' | 'name' | 'kustomization'>[],
  installed: BootstrapRelease[],
): SecretStores[] {
  const names = new Set(installed.map(nameOf))
  const brings = (kustomization: string) => {
    const brought = found.filter((release) => release.kustomization === kustomization)
    return brought.length > 0 && brought.every((release) => names.has(nameOf(release)))
  }
  return rendered.flatMap(({ kustomization, manifests }) => {
    const stores = manifests.filter(({ kind }) => kind === 'ClusterSecretStore')
    if (stores.length === 0) return []
    return {
      kustomization: nameOf(kustomization),
      names: stores.map((one) => one.object().metadata.name),
      // One that depends on nothing says nothing about what it needs.
      beforeFlux: kustomization.dependsOn.length > 0 && kustomization.dependsOn.every(brings),
      runbook: `${layout.runbooks}/${kustomization.name}.md`,
    }
  })
}

async function crdNames(root: string, releases: Release[]): Promise<string[]> {
  const names = await Promise.all(releases.map((release) => crdsOf(root, release)))
  return [...new Set(names.flat())].sort()
}

const parentOf = ({ parent }: { parent: string | undefined }) => {
  const [namespace = '', name = ''] = (parent ?? '').includes('/') ? (parent ?? '').split('/') : [fluxNamespace, parent]
  return { namespace, name }
}

/**
 * The list at the heart of both helmfiles, one line per release: `(list "namespace/name" "more" ...)`. They are Go
 * templates, so only helmfile itself can read the rest; test/repo holds this against `helmfile list`.
 */
export function listedReleases(template: string): { name: string; rest: string[] }[] {
  return [...template.matchAll(/^\s*\(list((?:\s+"[^"]*")+)\s*\)\s*$/gm)].flatMap(([, words = '']) => {
    const [name, ...rest] = [...words.matchAll(/"([^"]*)"/g)].map(([, word = '']) => word)
    return name ? [{ name, rest }] : []
  })
}

function bootstrapRelease(name: string, found: Release[], file: string, problems: Problem[]): BootstrapRelease {
  const [namespace = '', short = ''] = name.split('/')
  const release = found.find((one) => nameOf(one) === name)
  if (!release) problems.push({ file, line: 1, message: `Flux installs no release ${name}` })
  // helm keeps its records under these names, and Flux adopts an install only if it finds them under its own.
  else if (
    release.releaseName !== short ||
    release.storageNamespace !== namespace ||
    release.releaseNamespace !== namespace
  ) {
    problems.push({
      file: release.file ?? file,
      line: 1,
      message: `release ${name} is installed under another name or namespace`,
    })
  }
  return { namespace, name: short, version: release?.version ?? '', runbook: `${layout.runbooks}/${short}.md` }
}

/** Names and keys of the Secrets in a template for `op inject`; its references are plain text to YAML. */
export function secretsOf(template: string): FirstSecret[] {
  return splitDocuments(template)
    .map((text) => parseManifest(text) as KubeObject & { stringData?: Record<string, string> })
    .filter((object) => object?.kind === 'Secret')
    .map(({ metadata, data, stringData }) => ({
      namespace: metadata.namespace ?? 'default',
      name: metadata.name,
      keys: [...Object.keys(data ?? {}), ...Object.keys(stringData ?? {})],
    }))
}
