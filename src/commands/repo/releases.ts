import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { loadRepository, repositoryRoot, requireSound } from '../../lib/config/load.ts'
import { nameOf } from '../../lib/repo/flux.ts'
import { layout } from '../../lib/repo/layout.ts'
import { type Release, releases } from '../../lib/repo/releases.ts'
import { renderingCache } from '../../lib/repo/rendering-cache.ts'
import { kustomizeBuild, kustomizePath } from '../../lib/tools/kustomize.ts'
import type { Json } from '../../lib/types.ts'
import { namedCluster } from './selection.ts'

/** Called from bootstrap/helmfile.d through helmfile's `exec`, so it reads the repository it stands in and checks no rules. */
export const repoReleases = defineCommand({
  path: 'repo releases',
  summary: "List a cluster's Helm releases as Flux would install them: chart, version, values",
  effect: 'read',
  scope: 'cluster',
  args: { 'releases...?': 'only these, as NAMESPACE/NAME' },
  examples: [
    'k8sops repo releases --cluster infra',
    'k8sops repo releases --cluster apps kube-system/cilium -o json | jq .items[0].values',
  ],
  async read({ rest, options, env, cwd }) {
    const root = repositoryRoot(cwd, textOption(options.repo))
    const cluster = await clusterName(root, options.cluster)
    const found = await cachedReleases(root, cluster, rest.releases ?? [], env)
    return {
      kind: 'ReleaseList',
      items: found.map((release) => ({ ...release }) as unknown as { [key: string]: Json }),
      columns: [
        { title: 'NAMESPACE', value: ({ namespace }) => String(namespace) },
        { title: 'NAME', value: ({ name }) => String(name) },
        { title: 'CHART', value: ({ chartName }) => String(chartName) },
        { title: 'VERSION', value: ({ version }) => String(version) },
        { title: 'KUSTOMIZATION', value: ({ kustomization }) => String(kustomization) },
        { title: 'FILE', value: ({ file }) => String(file ?? ''), wide: true },
      ],
    }
  },
})

/** A cluster that is named and there needs no look into the configuration files. */
async function clusterName(root: string, option: string | boolean | string[] | undefined): Promise<string> {
  const named = textOption(option)
  if (named && existsSync(join(root, layout.settings(named)))) return named
  const repository = await loadRepository(root)
  requireSound(repository)
  return namedCluster(repository, option).name
}

async function cachedReleases(
  root: string,
  cluster: string,
  names: string[],
  env: NodeJS.ProcessEnv,
): Promise<Release[]> {
  const cache = renderingCache<Release[]>(root, `releases-${cluster}`, [kustomizePath(env)])
  const known = cache.read()
  if (known && names.every((name) => known.some((release) => nameOf(release) === name))) {
    return names.length === 0 ? known : known.filter((release) => names.includes(nameOf(release)))
  }
  const found = await releases(root, cluster, { kustomize: kustomizeBuild(env) }, names)
  if (names.length === 0) cache.write(found)
  return found
}
