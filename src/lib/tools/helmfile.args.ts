/** Argv of helmfile 1.8 (with helm 4). */
import type { Command } from '../types.ts'

export interface HelmfileSelection {
  /** Path of the helmfile, relative to the repository's root. */
  file: string
  /** helmfile environment: the cluster's name. */
  environment: string
  context: string
}

/** `--quiet` keeps helmfile's own lines off stdout, where the manifests are. */
const helmfile = (selection: HelmfileSelection, args: string[]): Command => ({
  tool: 'helmfile',
  args: ['--quiet', '-f', selection.file, '-e', selection.environment, '--kube-context', selection.context, ...args],
})

/** Everything that the helmfile's charts contain, CRDs included, as YAML on stdout. */
export function templateArgs(selection: HelmfileSelection): Command {
  return helmfile(selection, ['template', '--include-crds'])
}

/** Installs or upgrades one release, and waits for its workloads as the helmfile says. `needs` stay with their own steps. */
export function syncReleaseArgs(selection: HelmfileSelection, release: { name: string; namespace: string }): Command {
  return helmfile(selection, ['-l', `name=${release.name},namespace=${release.namespace}`, 'sync', '--skip-needs'])
}
