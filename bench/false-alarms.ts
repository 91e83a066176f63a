/**
 * Runs the rules that hold wherever Flux is used (`scope: any`) over somebody else's repository, to see that they say nothing about
 * what is right: `node bench/false-alarms.ts DIRECTORY kubernetes/flux/cluster`. The directory is a checkout; nothing in it is changed.
 */
import { join } from 'node:path'
import { byOwner } from '../src/lib/repo/flate-render.ts'
import { entryKustomization, fluxKustomization, isFluxKustomization, nameOf } from '../src/lib/repo/flux.ts'
import { manifest, manifestOf, splitDocuments } from '../src/lib/repo/manifests.ts'
import { originOf } from '../src/lib/repo/origin.ts'
import type { RenderedKustomization } from '../src/lib/repo/render.ts'
import { rules } from '../src/lib/repo/rules/catalog.ts'
import { checkRules } from '../src/lib/repo/rules/check.ts'
import { trustedRegistries } from '../src/lib/repo/rules/registries.ts'
import { clusterView } from '../src/lib/repo/rules/view.ts'
import { readSchemaTables } from '../src/lib/repo/schema-tables.ts'
import { readSourceFiles } from '../src/lib/repo/source-files.ts'
import { flateBuild } from '../src/lib/tools/flate.ts'
import type { KubeObject } from '../src/lib/types.ts'

const [root = '.', path = 'kubernetes/flux/cluster'] = process.argv.slice(2)
const files = readSourceFiles(root)
const byPath = new Map(files.map((file) => [file.path, file]))
const { objects, failures } = await flateBuild(process.env)({ root, path, kubernetesVersion: '1.35.4' })
const { owned, charts } = byOwner(objects as KubeObject[])

const entry = entryKustomization(path)
const own = files
  .filter((file) => file.path.startsWith(`${path}/`) && !file.path.endsWith('kustomization.yaml'))
  .flatMap((file) => splitDocuments(file.text).map((text) => manifest(text, file.path)))
const rendered: RenderedKustomization[] = [{ kustomization: entry, manifests: own, findings: [] }]
for (const parent of rendered) {
  for (const child of parent.manifests.filter(isFluxKustomization)) {
    const kustomization = fluxKustomization(child, nameOf(parent.kustomization))
    const found = owned.get(nameOf(kustomization)) ?? []
    const manifests = found.map((object) => manifestOf(object, originOf(object, kustomization, byPath)))
    rendered.push({ kustomization, manifests, findings: [] })
  }
}
const cluster = await clusterView(root, { name: 'cluster', settings: {} }, rendered, charts)
const view = {
  root,
  files,
  judged: files,
  clusters: [cluster],
  facts: [],
  registries: trustedRegistries,
  schemas: await readSchemaTables(root),
}
const everywhere = rules.filter(({ scope }) => scope === 'any')
const { findings } = await checkRules(view, { only: everywhere })
for (const { rule, file, line, message } of findings) console.log(`${join(file)}:${line} [${rule}] ${message}`)
console.log(
  `${everywhere.length} rules, ${rendered.length} Kustomizations, ${cluster.objects.length} objects, ${charts.size} of ${cluster.releases.length} releases rendered, ${failures.size} failures of flate, ${findings.length} findings`,
)
