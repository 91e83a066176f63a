/** Which CRDs a release's chart brings, by the facts of the chart that the repository keeps (lab/charts). */
import { readChartFacts } from '../repo/chart-facts.ts'
import { isAskedFor, valuesOf } from '../repo/chart-objects.ts'
import type { Release } from '../repo/releases.ts'

/** Full names (`certificates.cert-manager.io`), in alphabetical order; empty when nothing is known about the chart. */
export async function crdsOf(root: string, release: Release): Promise<string[]> {
  const facts = await readChartFacts(root, release.chartName, release.version)
  if (!facts) return []
  const values = valuesOf(release, facts)
  // Those that Helm installs before the templates (`crds`) come with --include-crds whatever the values say.
  const sets = (facts.crds ?? []).filter((set) => set.placement === 'crds' || isAskedFor(set, values))
  return [...new Set(sets.flatMap(({ names }) => names))].sort()
}
