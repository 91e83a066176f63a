/** What `app new --chart` knows of its chart: from the chart itself, else from a record of it, else nothing. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { OperatorError, UsageError } from '../../lib/errors.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { NewApplication } from '../../lib/repo/new-application.ts'
import type { KnownChart, NewRelease, Wanted } from '../../lib/repo/new-release.ts'
import type { ReadChart } from '../../lib/repo/read-chart.ts'

interface ChartChoice extends Pick<NewRelease, 'url'> {
  version: string | undefined
  /** Of the application, and so of its release. */
  name: string
  namespace: string
  wanted: Wanted
  kubernetesVersion: string
}

interface ChosenChart extends Omit<Scaffold, 'choice'> {
  release: NewRelease
  known: KnownChart | undefined
}

/** What `app new` writes. */
export interface Scaffold {
  choice: NewApplication
  /** The chart's record, by its path, when nobody has one. */
  record: ReadonlyMap<string, string>
  /** For the operator: what could not be had, and what is left to do. */
  notes: string[]
}

/**
 * The application as the release of a chart in place of an image.
 * @param chart `oci://host/path/chart`, the newest of it without a version
 * @throws UsageError when nothing can be pinned, or it has no Service for the route
 */
export async function withRelease(
  context: CommandContext,
  root: string,
  choice: NewApplication,
  chart: { url: string; version: string | undefined },
): Promise<Scaffold> {
  const [{ half }, { claimValues, serviceOf }, { clusters }] = await Promise.all([
    import('../../lib/repo/new-application.ts'),
    import('../../lib/repo/new-release.ts'),
    context.repository(),
  ])
  const { name, namespace, memory, volume, database, secret, route, port } = choice
  const { release, known, record, notes } = await chosenChart(context, root, {
    ...chart,
    name,
    namespace,
    wanted: { name, memory, half: half(memory), claim: volume === undefined ? undefined : name, database, secret },
    kubernetesVersion: clusters.find((one) => one.name === choice.cluster)?.kubernetesVersion ?? '',
  })
  const service = known
    ? serviceOf(known.record, { name, namespace, values: release.values }, port)
    : port === undefined
      ? undefined
      : { name, port }
  if (route && !service) {
    const ports = (known?.record.services ?? []).flatMap((one) => one.ports.map((each) => each.port))
    const none = port === undefined ? 'its Services have several ports, and none is http' : `none listens on ${port}`
    throw new UsageError(`no Service of the chart for the route: ${known ? none : notes[0]}`, {
      next: known && ports.length > 0 ? `--port, one of ${ports.join(', ')}` : '--port',
    })
  }
  const claims = known ? claimValues(known.record) : []
  const left: [boolean, string][] = [
    [
      volume !== undefined && claims.length !== 1,
      `the chart is to take the claim ${name}: ${claims.join(' or ') || 'no value of it is called persistence.existingClaim'}`,
    ],
    [
      database,
      `the chart is to take its database from Secret ${name}-postgres (host, database, username, password, uri)`,
    ],
    [secret, `the chart is to take what it needs from Secret ${name}`],
  ]
  return {
    choice: { ...choice, runs: { release }, service: service?.name ?? name, port: service?.port },
    record,
    notes: [...notes, ...left.flatMap(([is, what]) => (is ? [what] : []))],
  }
}

/**
 * Never fails for a chart that can't be had: that is a note.
 * @throws UsageError when there is neither a chart nor a version to pin
 */
async function chosenChart(context: CommandContext, root: string, choice: ChartChoice): Promise<ChosenChart> {
  const [{ helm }, { withChart }] = await Promise.all([
    import('../../lib/tools/helm.ts'),
    import('../../lib/repo/read-chart.ts'),
  ])
  try {
    return await withChart(helm(context.env, context.signal), choice, (read) => fromChart(root, choice, read))
  } catch (error) {
    if (!(error instanceof OperatorError) || error instanceof UsageError || context.signal.aborted) throw error
    return withoutChart(root, choice, error.message)
  }
}

async function fromChart(root: string, choice: ChartChoice, read: ReadChart): Promise<ChosenChart> {
  const [{ gaps, otherKeys, releaseValues, withNames }, { readChartFacts }] = await Promise.all([
    import('../../lib/repo/new-release.ts'),
    import('../../lib/repo/chart-facts.ts'),
  ])
  const { chart, known, refusal, render } = read
  const { url, name, namespace, wanted } = choice
  const { version } = chart
  if (!known) {
    const release = { url, version, values: {}, others: otherKeys({ values: chart.keys }, {}) }
    const note = `chart ${chart.name} ${version} does not render with its own values, so what it makes is not known: ${refusal}`
    return { release, known, record: new Map(), notes: [note] }
  }
  const values = releaseValues(known, wanted)
  const release = { url, version, values, others: otherKeys(known.record, values) }
  const recorded = await readChartFacts(root, chart.name, version)
  try {
    const objects = await render(name, namespace, values)
    const record = withNames(known.record, { name, namespace, values }, objects)
    const file = layout.chartRecord(chart.name, version)
    return {
      release,
      known: { ...known, record },
      record: new Map(recorded ? [] : [[file, `${JSON.stringify(record, null, 1)}\n`]]),
      notes: gaps(name, objects),
    }
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    return { release, known, record: new Map(), notes: [`the chart refuses these values: ${error.message}`] }
  }
}

async function withoutChart(root: string, choice: ChartChoice, reason: string): Promise<ChosenChart> {
  const [{ otherKeys, releaseValues }, { readChartFacts }] = await Promise.all([
    import('../../lib/repo/new-release.ts'),
    import('../../lib/repo/chart-facts.ts'),
  ])
  const { url, version, wanted } = choice
  const chart = url.split('/').at(-1) ?? ''
  if (version === undefined)
    throw new UsageError(`chart ${url} could not be had (${reason}), so its newest version is not known`, {
      next: 'say which with --version; it is written without the chart then',
    })
  const record = await readChartFacts(root, chart, version)
  const absent = `chart ${url} ${version} could not be had: ${reason}`
  if (!record)
    return {
      release: { url, version, values: {}, others: undefined },
      known: undefined,
      record: new Map(),
      notes: [
        `${absent}. Its values are yours to write; k8sops validate says chart-known until it can render the chart, or ${layout.chartRecord(chart, version)} is there`,
      ],
    }
  const known = { record, security: [] }
  const values = releaseValues(known, wanted)
  return {
    release: { url, version, values, others: otherKeys(record, values) },
    known,
    record: new Map(),
    notes: [`${absent}. Its values are from the record of it`],
  }
}
