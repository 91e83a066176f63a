/** A Helm repository over HTTP: index.yaml and the archives it lists. */
import type { ServedChart } from '../charts/index.ts'
import { type Answer, json } from './oci.ts'

/**
 * Answers a request to a Helm repository.
 * @param path `<repository path>/index.yaml` or `<repository path>/<chart>-<version>.tgz`
 * @param chartsAt the charts of the repository with that path
 */
export async function helmRepositoryAnswer(
  path: string,
  chartsAt: (repository: string) => Promise<ServedChart[]>,
): Promise<Answer> {
  const slash = path.lastIndexOf('/')
  const charts = await chartsAt(path.slice(0, slash))
  const file = path.slice(slash + 1)
  if (charts.length > 0 && file === 'index.yaml') return json(200, index(charts))
  const chart = charts.find((candidate) => archiveName(candidate) === file)
  if (!chart) return json(404, { message: `${path} is not in the lab` })
  return { status: 200, type: 'application/gzip', body: chart.archive, digest: chart.digest }
}

/** JSON is YAML; Helm reads it as an index.yaml. */
function index(charts: ServedChart[]) {
  const entries: Record<string, unknown[]> = {}
  for (const chart of charts) {
    const versions = entries[chart.source.name] ?? []
    versions.push({ ...chart.metadata, digest: chart.digest.replace('sha256:', ''), urls: [archiveName(chart)] })
    entries[chart.source.name] = versions
  }
  return { apiVersion: 'v1', entries }
}

const archiveName = ({ source }: ServedChart) => `${source.name}-${source.version}.tgz`
