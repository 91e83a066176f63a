import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { loadRepository, repositoryRoot, requireSound } from '../../lib/config/load.ts'
import { ConfigError, UsageError } from '../../lib/errors.ts'
import { nameOf } from '../../lib/repo/flux.ts'
import { locate } from '../../lib/repo/locate.ts'
import { renderCluster } from '../../lib/repo/render.ts'
import { kustomizeBuild } from '../../lib/tools/kustomize.ts'
import { namedCluster } from './selection.ts'

export const repoRender = defineCommand({
  path: 'repo render',
  summary: 'Print what Flux would apply: built, patched, variables substituted (secrets stay encrypted)',
  effect: 'read',
  scope: 'cluster',
  args: { 'kustomization?': 'only this Flux Kustomization, NAME or NAMESPACE/NAME' },
  examples: ['k8sops repo render --cluster infra', 'k8sops repo render --cluster apps cert-manager'],
  async read({ args, options, env, cwd }) {
    const repository = await loadRepository(repositoryRoot(cwd, textOption(options.repo)))
    requireSound(repository)
    const cluster = namedCluster(repository, options.cluster)
    const wanted = args.kustomization
    const isWanted = (name: string) => wanted === undefined || name === wanted || name === `flux-system/${wanted}`
    const rendered = await renderCluster(repository.root, cluster.name, {
      kustomize: kustomizeBuild(env),
      until: (done) => wanted !== undefined && done.some(({ kustomization }) => isWanted(nameOf(kustomization))),
      priority: (kustomization) => Number(isWanted(nameOf(kustomization))),
    })
    const selected = rendered.filter(({ kustomization }) => isWanted(nameOf(kustomization)))
    const findings = (selected.length > 0 ? selected : rendered).flatMap((one) => one.findings)
    if (findings.length > 0) {
      throw new ConfigError(`cluster ${cluster.name} cannot be rendered`, await locate(repository.root, findings))
    }
    if (selected.length === 0) {
      const names = rendered.map(({ kustomization }) => nameOf(kustomization)).join(', ')
      throw new UsageError(`cluster ${cluster.name} has no Kustomization ${wanted}`, { next: `there are: ${names}` })
    }
    const documents = selected.flatMap(({ kustomization, manifests }) => [
      `# Kustomization ${nameOf(kustomization)} (${kustomization.spec.path})\n`,
      ...manifests.map(({ text }) => text.replace(/\n*$/, '\n')),
    ])
    return {
      kind: 'RenderedManifests',
      text: documents.join('---\n'),
      items: selected.map(({ kustomization, manifests }) => ({
        kustomization: nameOf(kustomization),
        path: kustomization.spec.path,
        manifests: manifests.map(({ text }) => text),
      })),
    }
  },
})
