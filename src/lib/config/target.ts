/**
 * Resolves where a cluster's commands go. This file and src/lib/lab are the only ones that know of the lab: with --lab
 * the target is the materialised copy of the repository that the lab keeps, with other addresses, keys and environment.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { ConfigError } from '../errors.ts'
import type { LabSpec } from '../lab/types.ts'
import { layout } from '../repo/layout.ts'
import type { Cluster, Target } from '../types.ts'
import { clusterNamed, loadRepository, type Repository, requireSound } from './load.ts'

export interface TargetOptions {
  lab: boolean
  /** --lab-name; then K8SOPS_LAB_NAME, then `default`. */
  labName?: string | undefined
  env: NodeJS.ProcessEnv
}

/** `lab.json` in a lab's state directory, written by `k8sops lab up`. */
export interface LabFile extends LabSpec {
  /** Added to the environment of every child: PATH, proxy, cache directories. */
  env: Record<string, string>
  /** The operator's kubeconfig in the lab; bootstrap writes it. */
  kubeconfig: string
  /** Factor on stable-for windows; the lab's `pace` when it is not given. */
  timeScale?: number
}

/** A target with the repository and cluster as its root has them: in the lab these are the mapped ones. */
export interface ResolvedTarget {
  repository: Repository
  cluster: Cluster
  target: Target
}

/**
 * Where commands on `clusterName` go, without the facts that stand there (see `openTarget`).
 * @throws UsageError for an unknown cluster; ConfigError when there is no such lab.
 */
export async function resolveTarget(
  repository: Repository,
  clusterName: string,
  options: TargetOptions,
): Promise<Target> {
  const cluster = clusterNamed(repository, clusterName)
  return options.lab ? labTarget(cluster, options) : realTarget(repository, cluster, options.env)
}

/**
 * The target together with the repository and cluster read from its root. The operator's repository has been checked
 * before (`openRepository`); a lab's copy is read but not checked, since its loopback addresses break the rules on purpose.
 * @throws as `resolveTarget`; ConfigError when the lab's copy cannot be read.
 */
export async function openTarget(
  repository: Repository,
  clusterName: string,
  options: TargetOptions,
): Promise<ResolvedTarget> {
  const target = await resolveTarget(repository, clusterName, options)
  if (target.root === repository.root) return { repository, cluster: clusterNamed(repository, clusterName), target }
  const copy = await loadRepository(target.root)
  requireSound(copy)
  return { repository: copy, cluster: clusterNamed(copy, clusterName), target }
}

/** The state directory of one lab; `lab.json` is in it while the lab is there. */
export function labDirectory(env: NodeJS.ProcessEnv, labName: string, cluster: string): string {
  return join(stateHome(env), 'k8sops', 'labs', labName, cluster)
}

const stateHome = (env: NodeJS.ProcessEnv) => env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state')

/** The lab's name as options and environment give it. */
export const labNameOf = (options: Pick<TargetOptions, 'labName' | 'env'>): string =>
  options.labName || options.env.K8SOPS_LAB_NAME || 'default'

function realTarget(repository: Repository, cluster: Cluster, env: NodeJS.ProcessEnv): Target {
  return {
    cluster: cluster.name,
    root: repository.root,
    kubeconfig: kubeconfigPath(env, cluster.context),
    context: cluster.context,
    talosconfig: layout.talosconfig(cluster.name),
    env: {},
    stateDir: join(repository.root, layout.state),
    snapshotDir: join(stateHome(env), 'k8sops', 'snapshots', cluster.name),
    ...(cluster.alertmanager ? { alertmanager: cluster.alertmanager.url } : {}),
    timeScale: 1,
  }
}

async function labTarget(cluster: Cluster, options: TargetOptions): Promise<Target> {
  const name = labNameOf(options)
  const path = join(labDirectory(options.env, name, cluster.name), 'lab.json')
  const lab = await readLabFile(path, name, cluster.name)
  return {
    cluster: cluster.name,
    root: lab.root,
    kubeconfig: lab.kubeconfig,
    context: cluster.context,
    talosconfig: layout.talosconfig(cluster.name),
    env: lab.env,
    stateDir: join(lab.root, layout.state),
    snapshotDir: join(dirname(path), 'snapshots'),
    timeScale: lab.timeScale ?? lab.pace,
  }
}

async function readLabFile(path: string, name: string, cluster: string): Promise<LabFile> {
  const up = `k8sops lab up --cluster ${cluster}${name === 'default' ? '' : ` --lab-name ${name}`}`
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new ConfigError(`there is no lab ${name} of cluster ${cluster}`, [], { next: up })
  }
  const lab = parseLabFile(text)
  if (lab) return lab
  throw new ConfigError(
    `the lab's description is broken`,
    [{ file: path, line: 1, message: 'not what lab up writes' }],
    {
      next: `k8sops lab down --cluster ${cluster}${name === 'default' ? '' : ` --lab-name ${name}`} && ${up}`,
    },
  )
}

function parseLabFile(text: string): LabFile | undefined {
  try {
    const lab = JSON.parse(text) as Partial<LabFile>
    const complete =
      typeof lab.root === 'string' &&
      typeof lab.kubeconfig === 'string' &&
      typeof lab.pace === 'number' &&
      typeof lab.env === 'object' &&
      lab.env !== null
    return complete ? (lab as LabFile) : undefined
  } catch {
    return undefined
  }
}

/**
 * The one kubeconfig file that holds `context`: the first of KUBECONFIG's list that names it, else the list's first
 * (where a new context would be written), else ~/.kube/config.
 * @throws ConfigError for a directory, which kubectl takes for no kubeconfig either
 */
export function kubeconfigPath(env: NodeJS.ProcessEnv, context: string): string {
  const files = (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean)
  const fallback = join(env.HOME || homedir(), '.kube', 'config')
  for (const file of files.length > 0 ? files : [fallback])
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
      throw new ConfigError(`${file} is a directory, and no kubeconfig`, [], {
        next:
          files.length > 0
            ? 'KUBECONFIG has to name the file in it'
            : 'move it away: k8sops talos kubeconfig writes a file there',
      })
  const [first] = files
  if (first === undefined) return fallback
  if (files.length === 1) return first
  // A text search is enough to choose among files: whoever reads the chosen one parses it.
  const line = new RegExp(`^\\s*(- )?name:\\s*["']?${context.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?\\s*$`, 'm')
  return files.find((file) => existsSync(file) && line.test(readFileSync(file, 'utf8'))) ?? first
}
