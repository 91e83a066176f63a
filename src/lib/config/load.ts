/** Reads a repository of this shape: k8sops.yaml, talos/<cluster>/talconfig.yaml, kubernetes/clusters/<cluster>/cluster-settings.yaml. */
import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { ConfigError, UsageError } from '../errors.ts'
import type { MaintenanceWindow } from '../gates/maintenance-window.ts'
import { layout } from '../repo/layout.ts'
import type { MonitoringSelectors } from '../tools/monitoring.ts'
import type { Cluster, Problem, RolloutPolicy } from '../types.ts'
import { confirmMarks } from './confirm.ts'
import type { ClusterFiles, RepositoryFiles } from './files.ts'
import { findRepository } from './find.ts'
import { firstAddress, virtualAddresses } from './interfaces.ts'
import { recall, remember } from './remembered.ts'

export { findRepository }

// The readers need yaml and zod, 100 ms to load; the rest of this file is what every command's module imports.
const readFiles = async (root: string) => (await import('./files.ts')).readRepositoryFiles(root)
const checkFiles = async (files: RepositoryFiles) => (await import('./rules/index.ts')).checkFiles(files)

export interface Repository {
  root: string
  defaultCluster: string
  rollout: RolloutPolicy
  /** Which nodes of a cluster are upgraded first, and when nodes may be taken out for it. */
  upgrade: { order: 'workers-first' | 'control-planes-first'; window?: MaintenanceWindow }
  /** Prefixes of names of images that may be used, when k8sops.yaml has some. */
  trustedRegistries?: string[]
  /** How the Services are labelled that metrics, logs and alerts are asked of. */
  monitoring?: MonitoringSelectors
  /** 1Password reference of the age private key, `op://vault/item/field`. */
  ageKey: string
  clusters: Cluster[]
  /** Everything wrong, with file and line; a command that needs the repository sound throws them all at once. */
  problems: Problem[]
}

/**
 * Reads the repository at `root`. `problems` holds what makes it unreadable (missing files, malformed YAML, wrong
 * shapes); whether the facts make sense together is `checkRepository`'s business, because the lab's mapped copy has
 * addresses that no rule would accept. Never throws for what a file says.
 */
export async function loadRepository(root: string): Promise<Repository> {
  const known = await recall(root, 'read')
  if (known) return known
  const files = await readFiles(root)
  const repository = toRepository(files)
  await remember(files, repository, 'read')
  return repository
}

/** Every rule over the facts of a repository that could be read: addresses, versions, networks, names, unknown talconfig keys. */
export async function checkRepository(repository: Repository): Promise<Problem[]> {
  return checkFiles(await readFiles(repository.root))
}

/**
 * What a command starts from: finds the repository (at `path`, else upwards from `cwd`), reads it and checks it; `problems`
 * holds everything that is wrong in any file. Throws UsageError when there is none.
 */
export async function openRepository(cwd: string, path?: string): Promise<Repository> {
  const root = repositoryRoot(cwd, path)
  const known = await recall(root, 'checked')
  if (known) return known
  const files = await readFiles(root)
  const repository = { ...toRepository(files), problems: [...files.problems, ...(await checkFiles(files))] }
  await remember(files, repository, 'checked', (await import('./rules/referenced-files.ts')).referencedFiles(files))
  return repository
}

/** The root that `openRepository` reads. Throws UsageError when there is no k8sops.yaml. */
export function repositoryRoot(cwd: string, path?: string): string {
  if (path !== undefined) {
    const root = resolve(cwd, path)
    if (existsSync(join(root, layout.repositoryFile))) return root
    throw new UsageError(`${root} holds no ${layout.repositoryFile}`, {
      next: '--repo names the directory that holds k8sops.yaml',
    })
  }
  const root = findRepository(cwd)
  if (root) return root
  throw new UsageError(`no ${layout.repositoryFile} in ${resolve(cwd)} or above it`, {
    next: 'run this inside the repository, or give it with --repo PATH',
  })
}

/** Throws ConfigError with all of the repository's problems, if it has any. */
export function requireSound(repository: Repository): void {
  const { problems } = repository
  if (problems.length === 0) return
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  throw new ConfigError(`${count} in the configuration`, problems, { next: 'k8sops validate' })
}

/** The cluster of that name. Throws UsageError that lists the ones there are. */
export function clusterNamed(repository: Repository, name: string): Cluster {
  const cluster = repository.clusters.find((candidate) => candidate.name === name)
  if (cluster) return cluster
  const names = repository.clusters.map((candidate) => candidate.name).join(', ')
  throw new UsageError(`unknown cluster ${name}`, { next: `the clusters of ${repository.root} are: ${names}` })
}

function toRepository(files: RepositoryFiles): Repository {
  const { repository } = files
  return {
    root: files.root,
    defaultCluster: repository?.defaultCluster ?? '',
    upgrade: {
      order: repository?.upgrade?.order ?? 'workers-first',
      ...(repository?.upgrade?.window ? { window: repository.upgrade.window } : {}),
    },
    rollout: toPolicy(repository?.rollout),
    ...(repository?.trustedRegistries ? { trustedRegistries: repository.trustedRegistries } : {}),
    ...(repository?.monitoring ? { monitoring: compact(repository.monitoring) } : {}),
    ageKey: repository?.onePassword.ageKey ?? '',
    clusters: files.clusters.map(toCluster),
    problems: [...files.problems],
  }
}

/** Of a file that could not be read nothing follows: no order, and a soak that never ends. */
function toPolicy(file: NonNullable<RepositoryFiles['repository']>['rollout'] | undefined): RolloutPolicy {
  const { order, soakHours, tickMinutes, restarts, gates, onRegression, onGap } = file ?? unreadPolicy
  const labels = (file?.labels ?? []).map(({ name, hours, subject }) => ({
    name,
    hours,
    ...(subject === undefined ? {} : { subject }),
  }))
  return { order, soakHours, labels, tickMinutes, restarts, gates, onRegression, onGap }
}

const unreadPolicy: Omit<RolloutPolicy, 'labels'> = {
  order: [],
  soakHours: Number.POSITIVE_INFINITY,
  tickMinutes: 60,
  restarts: 1,
  gates: [],
  onRegression: 'restart',
  onGap: 'restart',
}

/** Without what was not given: an optional property that is undefined is not the same. */
const compact = <T extends object>(given: T) =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))

/** A cluster whose files could not be read has empty facts; its problems are in the repository's list. */
function toCluster(files: ClusterFiles): Cluster {
  const { talconfig } = files
  const endpoint = talconfig?.endpoint ?? ''
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname.replace(/^\[|\]$/g, '') : ''
  const declared = talconfig && virtualAddresses(talconfig)[0]?.ip
  return {
    name: files.name,
    nodes: (talconfig?.nodes ?? []).map((node) => ({
      hostname: node.hostname,
      address: firstAddress(node),
      controlPlane: node.controlPlane,
    })),
    // The endpoint is what is dialled; a host name there leaves the address to the interface that holds it.
    vip: isIP(host) ? host : (declared ?? ''),
    endpoint,
    talosVersion: talconfig?.talosVersion ?? '',
    kubernetesVersion: talconfig?.kubernetesVersion ?? '',
    settings: files.settings ?? {},
    context: files.context,
    follows: files.follows,
    gates: files.gates,
    ...(files.alertmanager ? { alertmanager: files.alertmanager } : {}),
    confirm: [files.talconfigFile, files.settingsFile].flatMap((file) => (file ? confirmMarks(file) : [])),
  }
}
