/**
 * Shows flate the Kustomizations that are meant, whatever else the repository has. They stand below the repository's own root, so that
 * their paths hold, and flate finds again what it rendered of them earlier.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { UsageError } from '../errors.ts'
import type { KubeObject } from '../types.ts'
import { layout } from './layout.ts'

/** What flate rendered, and why it could not render others. */
export interface FlateOutput {
  objects: KubeObject[]
  failures: ReadonlyMap<string, string>
}

/** Runs flate on a directory, relative to the repository's root. */
export type FlateCluster = (path: string) => Promise<{ objects: unknown[]; failures: ReadonlyMap<string, string> }>

/** @param awaited `namespace/name` of what they wait for and is not among them @throws UsageError when nothing can be written below the root */
export async function showTo(
  flate: FlateCluster,
  root: string,
  shown: readonly object[],
  awaited: readonly string[] = [],
): Promise<FlateOutput> {
  const directory = directoryBelow(join(root, layout.state, 'cache'))
  const path = relative(root, directory)
  try {
    const objects = [...shown, ...awaited.map((name) => stub(name, path))]
    writeFileSync(join(directory, 'objects.yaml'), objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(''))
    const { objects: rendered, failures } = await flate(path)
    return { objects: rendered as KubeObject[], failures }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function directoryBelow(parent: string): string {
  try {
    mkdirSync(parent, { recursive: true })
    return mkdtempSync(join(parent, 'shown-'))
  } catch (error) {
    throw new UsageError(`nothing can be written below ${parent}: ${(error as Error).message}`, {
      next: 'flate reads from there what it has to render: make the checkout writable, or copy it',
    })
  }
}

/** Suspended, which flate takes for ready. @param path where nothing else is: flate reads on where a path leads all the same */
const stub = (awaited: string, path: string): object => {
  const [namespace, name] = awaited.split('/')
  const spec = { interval: '1h', prune: false, suspend: true, path: `./${path}`, sourceRef: ownSource }
  return { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization', metadata: { name, namespace }, spec }
}

const ownSource = { kind: 'GitRepository', name: 'flux-system' }

/** What the FluxInstance makes for a cluster, and no file declares. */
export const entryObject = (path: string): object => ({
  apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
  kind: 'Kustomization',
  metadata: { name: 'flux-system', namespace: 'flux-system' },
  spec: { interval: '1h', prune: true, path: `./${path}`, sourceRef: ownSource },
})
