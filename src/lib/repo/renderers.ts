/** The renderers as programs of this machine. */
import { flateBuild } from '../tools/flate.ts'
import { kustomizeBuild, kustomizePath } from '../tools/kustomize.ts'
import type { Renderers } from './read-view.ts'

/** @param root the repository's @throws ConfigError when flate or kustomize is not installed in the pinned version */
export function renderersOf(root: string, env: NodeJS.ProcessEnv, signal?: AbortSignal): Renderers {
  const flate = flateBuild(env)
  return {
    flate:
      ({ kubernetesVersion }) =>
      (path) =>
        flate({ root, path, kubernetesVersion, signal }),
    kustomize: kustomizeBuild(env),
    kustomizePath: kustomizePath(env),
  }
}
