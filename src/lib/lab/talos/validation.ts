/**
 * Refusal of machine configurations. The document checks are Talos's own: the pinned talosctl carries the very code
 * that a machine runs (configloader and Validate). What a machine adds at run time (its disks, its version) is here.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { execa } from 'execa'
import type { MachineSpec } from '../types.ts'
import { chooseDisk } from './install-disk.ts'
import { readDocuments, valueAt } from './machine-config.ts'
import { multiErrorText, StatusError } from './status.ts'

export interface ValidationOptions {
  /** Absolute path of the pinned talosctl. */
  talosctl: string
  /** Where the candidate is put for talosctl, which opens its input by name; it is removed again. */
  candidateFile: string
  spec: MachineSpec
  /** Version that the machine runs, `v1.12.0`. */
  talosVersion: string
  /** The machine is not installed yet: the install disk must exist. */
  requiresInstall: boolean
}

export interface Refusal {
  phase: 'parse' | 'validate' | 'runtime'
  text: string
}

export type Validation = { warnings: string[] } | { refusal: Refusal }

/** What talosctl prints when the documents can't be read at all, as opposed to a config that is read and refused. */
const parseProblems = /^(decode error|unknown keys found|config not found|missing kind|".*" ".*": not registered|yaml:)/

/**
 * Validates a configuration as the machine would.
 * @throws StatusError (Internal) when talosctl can't be run
 */
export async function validateConfig(source: string, options: ValidationOptions): Promise<Validation> {
  const documents = await validateDocuments(source, options)
  if ('refusal' in documents) return documents
  const problems = runtimeProblems(source, options)
  if (problems.length === 0) return documents
  const inner = `v1alpha1.Config: ${multiErrorText(problems)}`
  return { refusal: { phase: 'runtime', text: multiErrorText([inner]) } }
}

async function validateDocuments(source: string, options: ValidationOptions): Promise<Validation> {
  await mkdir(dirname(options.candidateFile), { recursive: true })
  await writeFile(options.candidateFile, source, { mode: 0o600 })
  try {
    const args = ['validate', '--mode', 'metal', '--config', options.candidateFile]
    const run = await execa(options.talosctl, args, { reject: false, timeout: 20_000 })
    if (run.exitCode === undefined) throw new StatusError('Internal', `lab: ${options.talosctl} can't be run`)
    const lines = run.stderr.split('\n')
    const warnings = lines.filter((line) => line.startsWith('WARNING: ')).map((line) => line.slice('WARNING: '.length))
    if (run.exitCode === 0) return { warnings }
    const text = lines
      .filter((line) => !line.startsWith('WARNING: '))
      .join('\n')
      .trim()
    return { refusal: { phase: parseProblems.test(text) ? 'parse' : 'validate', text } }
  } finally {
    await rm(options.candidateFile, { force: true })
  }
}

/** v1alpha1 Config.RuntimeValidate. */
function runtimeProblems(source: string, options: ValidationOptions): string[] {
  const document = readDocuments(source).find((candidate) => candidate.kind === undefined)
  if (!document) return []
  const problems: string[] = []
  if (options.requiresInstall && valueAt(document, 'machine.install.diskSelector') !== undefined) {
    const choice = chooseDisk(document, options.spec.disks)
    if ('problem' in choice) problems.push(choice.problem)
  }
  const images = [['kubelet', 'machine.kubelet.image']]
  if (valueAt(document, 'machine.type') !== 'worker') {
    images.push(['kube-apiserver', 'cluster.apiServer.image'])
    images.push(['kube-controller-manager', 'cluster.controllerManager.image'])
    images.push(['kube-scheduler', 'cluster.scheduler.image'])
  }
  for (const [name, path] of images) {
    const image = valueAt(document, path ?? '')
    const problem = typeof image === 'string' ? kubernetesProblem(image, options.talosVersion) : undefined
    if (problem) problems.push(`${name} image is not valid: ${problem}`)
  }
  return problems
}

/** Oldest and newest Kubernetes minor by Talos minor (pkg/machinery/compatibility). */
const kubernetesMinors: Record<string, [number, number]> = {
  '1.10': [28, 33],
  '1.11': [29, 34],
  '1.12': [30, 35],
  '1.13': [31, 36],
}

function kubernetesProblem(image: string, talosVersion: string): string | undefined {
  const version = /:v(\d+)\.(\d+)\.(\d+)[^@]*/.exec(image)
  if (!version)
    return `failed to parse Kubernetes version from image reference ${JSON.stringify(image)}: invalid image reference: ${JSON.stringify(image)}`
  const minors = kubernetesMinors[/^v(\d+\.\d+)\./.exec(talosVersion)?.[1] ?? '']
  const minor = Number(version[2])
  const talos = talosVersion.replace(/^v/, '')
  const plain = version[0].slice(2)
  if (!minors) return `compatibility with version ${talos} is not supported`
  if (minor < minors[0]) return `version of Kubernetes ${plain} is too old to be used with Talos ${talos}`
  if (minor > minors[1]) return `version of Kubernetes ${plain} is too new to be used with Talos ${talos}`
  return undefined
}
