/** What a release asks of its chart: values that it reads, containers with resources, attempts after a failure. */
import { monitorSwitch, unknownValueKeys } from '../chart-facts.ts'
import { isAskedFor, valuesOf } from '../chart-objects.ts'
import { bytesOf, dig, type Fields, isFields, listAt, maps, type Path, textAt } from '../fields.ts'
import { layout } from '../layout.ts'
import type { Finding } from '../locate.ts'
import { isComplete } from '../pod-demands.ts'
import { about, aboutRelease, each, type Rule } from './rule.ts'
import { type KnownRelease, ofKind, type RenderedObject } from './view.ts'

export const chartRules: Rule[] = [
  {
    id: 'chart-known',
    demands: 'A chart was rendered, or a record of it says what it reads and starts',
    why: 'Of an unknown chart nothing can be checked: neither its values nor what it starts',
    fix: 'Take the facts from the real chart into lab/charts/<chart>-<version>.json',
    source: 'design section 5',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ releases }) =>
      releases
        .filter(({ rendered, facts }) => !rendered && !facts)
        .map(({ release }) => {
          const { chartName, version } = release
          const record = layout.chartRecord(chartName, version)
          const path = ['spec', release.repository ? 'chart' : 'chartRef']
          return aboutRelease(
            release,
            `nothing is known about chart ${chartName} ${version} (${record} is missing)`,
            path,
          )
        }),
    ),
  },
  {
    id: 'chart-value-exists',
    demands: 'Values are keys that the chart reads, in that very version',
    why: 'Helm ignores any other without a word',
    fix: 'Look it up in the chart’s values.yaml of that version',
    source: 'design section 5',
    scope: 'any',
    looksAt: 'itself',
    check: each(({ releases }) =>
      releases.flatMap(({ release, facts }) =>
        facts
          ? unknownValueKeys(facts, release.values).map((path) =>
              aboutRelease(
                release,
                `chart ${release.chartName} ${release.version} has no value ${path.join('.')}, helm would ignore it`,
                ['spec', 'values', ...path],
              ),
            )
          : [],
      ),
    ),
  },
  {
    id: 'release-remediates',
    demands: 'A release is tried again after a failed install and a failed upgrade',
    why: 'A registry that is away for a minute would leave it failed until somebody comes',
    fix: 'Include infrastructure/base/defaults, or set install/upgrade.remediation.retries or strategy',
    source: 'NFR34, NFR35',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'HelmRelease').flatMap((one) =>
        (['install', 'upgrade'] as const)
          .filter((action) => !triesAgain(dig(one.object(), ['spec', action])))
          .map((action) => about(one, `${action} has no remediation`, ['spec', action])),
      ),
    ),
  },
  {
    id: 'release-corrects-drift',
    demands: 'A release has drift detection enabled',
    why: 'What somebody changed by hand would stay',
    fix: 'Include infrastructure/base/defaults, or spec.driftDetection.mode: enabled',
    source: 'NFR21',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'HelmRelease')
        .filter((one) => textAt(one.object(), 'spec.driftDetection.mode') !== 'enabled')
        .map((one) => about(one, 'has no drift detection', ['spec', 'driftDetection'])),
    ),
  },
  {
    id: 'container-resources',
    demands: 'Every container has requests for CPU and memory, and a memory limit',
    why: 'The scheduler places what it knows; without a limit one leak takes the node',
    fix: 'Set resources; CPU has no limit on purpose, it would throttle long before the machine is busy',
    source: 'NFR30, design section 8',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [
      ...cluster.releases.filter(({ rendered }) => !rendered).flatMap(containersOfChart),
      ...cluster.objects.filter(({ kind }) => workloadKinds.has(kind)).flatMap(containersOfObject),
      ...cluster.objects
        .filter(({ kind, release }) => !release && !workloadKinds.has(kind) && kind !== 'CustomResourceDefinition')
        .flatMap((one) =>
          maps(one.object().spec)
            .filter(({ map }) => isContainerResources(map))
            .flatMap(({ map, path }) => resourceFindings(one, map, ['spec', ...path])),
        ),
    ]),
  },
  {
    id: 'chart-monitored',
    demands: 'A chart that brings a ServiceMonitor or PodMonitor is asked for one',
    why: 'What is not scraped is down without an alert',
    fix: 'serviceMonitor.enabled: true, as the chart calls it',
    source: 'docs/patterns.md, step 1',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ releases }) => releases.flatMap(unmonitored)),
  },
  {
    id: 'chart-layer-copied',
    demands: 'An OCIRepository that takes a chart out of its layer copies it',
    why: 'source-controller would unpack the archive, and helm-controller finds no chart in what is left',
    fix: 'layerSelector.operation: copy',
    source: 'Flux',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'OCIRepository')
        .filter((one) => /helm\.chart\.content/.test(textAt(one.object(), 'spec.layerSelector.mediaType') ?? ''))
        .filter((one) => textAt(one.object(), 'spec.layerSelector.operation') !== 'copy')
        .map((one) => about(one, 'unpacks the chart', ['spec', 'layerSelector'])),
    ),
  },
  {
    id: 'chart-layer-named',
    demands: 'An OCIRepository that a release takes its chart from names the layer that the chart is in',
    why: 'Without a media type it is the first layer, whatever that is: a signature, or the provenance that Helm pushes beside the chart',
    fix: 'layerSelector: {mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip, operation: copy}',
    source: 'Flux',
    scope: 'house',
    check: each((cluster) => {
      const charts = new Set(
        ofKind(cluster, 'HelmRelease')
          .filter((one) => textAt(one.object(), 'spec.chartRef.kind') === 'OCIRepository')
          .map((one) => {
            const chart = dig(one.object(), 'spec.chartRef')
            return `${textAt(chart, 'namespace') ?? one.namespace}/${textAt(chart, 'name')}`
          }),
      )
      return ofKind(cluster, 'OCIRepository')
        .filter(({ namespace, name }) => charts.has(`${namespace}/${name}`))
        .filter((one) => textAt(one.object(), 'spec.layerSelector.mediaType') === undefined)
        .map((one) => about(one, 'names no layer for the chart', ['spec', 'layerSelector']))
    }),
  },
  {
    id: 'release-upgrades-crds',
    demands: 'A release creates and replaces the CRDs of its chart, at an upgrade, too',
    why: 'Helm never touches a CRD again: the controller would be new and its API old',
    fix: 'Include infrastructure/base/defaults, or install.crds and upgrade.crds: CreateReplace',
    source: 'issue 5',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'HelmRelease').flatMap((one) =>
        (['install', 'upgrade'] as const)
          .filter((action) => textAt(one.object(), `spec.${action}.crds`) !== 'CreateReplace')
          .map((action) => about(one, `${action} leaves CRDs as they are`, ['spec', action])),
      ),
    ),
  },
  {
    id: 'memory-limit',
    demands: 'A controller is limited to 2 GiB of memory',
    why: 'It is a home lab: control planes that need more than that crowd out what they control',
    fix: 'Lower the limit, or waive this for what holds data in memory',
    source: 'NFR30, NFR32',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ releases, objects }) => [
      ...releases
        .filter(({ release }) => release.file?.includes('/controllers/'))
        .flatMap(({ release }) =>
          limitsIn(release.values).flatMap(({ path, text }) =>
            (bytesOf(text) ?? 0) > 2 * 2 ** 30
              ? [aboutRelease(release, `memory limit ${text} is more than 2Gi`, ['spec', 'values', ...path])]
              : [],
          ),
        ),
      ...objects
        .filter(({ kind, manifest }) => kind === 'Deployment' && manifest.file?.includes('/controllers/'))
        .flatMap((one) =>
          limitsIn(one.object()).flatMap(({ path, text }) =>
            (bytesOf(text) ?? 0) > 2 * 2 ** 30 ? [about(one, `memory limit ${text} is more than 2Gi`, path)] : [],
          ),
        ),
    ]),
  },
]

/** With `strategy` Flux 2.7 and later try again without a count. */
function triesAgain(action: unknown): boolean {
  return textAt(action, 'strategy.name') !== undefined || Number(textAt(action, 'remediation.retries') ?? 0) !== 0
}

const limitsIn = (value: unknown): { path: Path; text: string }[] =>
  maps(value).flatMap(({ map, path }) => {
    const text = textAt(map, 'limits.memory')
    return text === undefined ? [] : [{ path: [...path, 'limits', 'memory'], text }]
  })

/** The switches of a chart's monitors, and whether one of them is on. */
export function monitorsOf({ release, facts }: KnownRelease): { switches: string[]; isOn: boolean } {
  const switches = (facts?.values ?? []).filter((key) => monitorSwitch.test(key))
  const values = facts ? valuesOf(release, facts) : release.values
  return { switches, isOn: switches.some((key) => dig(values, key) === true) }
}

function unmonitored(known: KnownRelease): Finding[] {
  const { release, facts } = known
  const { switches, isOn } = monitorsOf(known)
  if (switches.length === 0 || isOn || (facts?.workloads ?? []).length === 0) return []
  return [aboutRelease(release, `has no monitor (${switches.join(' or ')})`, ['spec', 'values'])]
}

function containersOfChart({ release, facts }: KnownRelease): Finding[] {
  if (!facts) return []
  const values = valuesOf(release, facts)
  return (facts.workloads ?? [])
    .filter((workload) => isAskedFor(workload, values))
    .flatMap(({ containers }) => containers)
    .filter(({ resourcesValue }) => resourcesValue !== undefined && !isComplete(dig(values, resourcesValue)))
    .map(({ name, resourcesValue = '' }) =>
      aboutRelease(release, `container ${name} lacks requests or a memory limit (${resourcesValue})`, [
        'spec',
        'values',
        ...resourcesValue.split('.'),
      ]),
    )
}

/** Whatever it is called (Rook names it after a daemon), in custom resources and values; a claim's requests are of storage. */
const isContainerResources = (map: Fields): boolean =>
  isFields(map.requests) &&
  !('storage' in map.requests) &&
  Object.keys(map).every((key) => /^(requests|limits|claims)$/.test(key))

function resourceFindings(one: RenderedObject, resources: Fields, path: (string | number)[]): Finding[] {
  const least = bytesOf(textAt(resources, 'limits.memory'))
  if (!isComplete(resources)) return [about(one, 'lacks requests or a memory limit', path)]
  return least === undefined || least < 2 ** 20 ? [about(one, 'limits memory to less than 1Mi', path)] : []
}

const workloadKinds = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'Pod'])

/** The pod of a workload, and where it stands. */
export function podOf({ kind, object }: RenderedObject): { pod: Fields; path: string[] } {
  const path =
    kind === 'Pod'
      ? ['spec']
      : kind === 'CronJob'
        ? ['spec', 'jobTemplate', 'spec', 'template', 'spec']
        : ['spec', 'template', 'spec']
  const pod = dig(object(), path)
  return { pod: isFields(pod) ? pod : {}, path }
}

function containersOfObject(one: RenderedObject): Finding[] {
  const { pod, path } = podOf(one)
  return (['containers', 'initContainers'] as const).flatMap((list) =>
    listAt(pod, list).flatMap((container, index) =>
      isComplete(dig(container, 'resources'))
        ? []
        : [
            about(one, `container ${textAt(container, 'name')} lacks requests or a memory limit`, [
              ...path,
              list,
              index,
            ]),
          ],
    ),
  )
}
