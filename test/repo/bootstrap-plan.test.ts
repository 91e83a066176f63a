/** What `k8sops bootstrap --dry-run` shows for this repository's clusters. A change of behaviour is a change of these texts. */
import { join } from 'node:path'
import { Chalk } from 'chalk'
import { beforeAll, describe, expect, it } from 'vitest'
import { clusterNamed, loadRepository, type Repository } from '../../src/lib/config/load.ts'
import { planBootstrap } from '../../src/lib/ops/bootstrap.ts'
import { readBootstrapFiles } from '../../src/lib/ops/bootstrap-files.ts'
import { layout } from '../../src/lib/repo/layout.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'

const root = join(import.meta.dirname, '..', '..')
let repository: Repository
beforeAll(async () => {
  repository = await loadRepository(root)
})

describe.each(['apps', 'infra'])('bootstrap of %s', (name) => {
  it('is the plan that was reviewed', async () => {
    const cluster = clusterNamed(repository, name)
    const files = await readBootstrapFiles(root, name, kustomizeBuild(process.env))
    const target = { context: cluster.context, talosconfig: layout.talosconfig(name) }
    const params = { skipFlux: false, nodeTimeoutSec: 600 }
    // Commit, digest and what was observed differ from day to day.
    const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
    const plan = planBootstrap({ cluster, target, ageKey: repository.ageKey, files, params }, basis)
    const around = {
      root: 'ROOT',
      context: cluster.context,
      server: undefined,
      talosEndpoints: cluster.nodes.map(({ address }) => address),
    }
    await expect(`${renderPlan(plan, around, new Chalk({ level: 0 }))}\n`).toMatchFileSnapshot(
      join(root, 'test/golden/plans', `bootstrap.${name}.txt`),
    )
  })
})
