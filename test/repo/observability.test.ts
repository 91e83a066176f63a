/** What observability may take, how long it keeps what it gets, and who comes in: read from what the manifests and charts come to. */
import { beforeAll, describe, expect, test } from 'vitest'
import { loadRepository } from '../../src/lib/config/load.ts'
import { componentKinds, componentObjects } from '../../src/lib/lab/operators/victoria-metrics-workloads.ts'
import { holds } from '../../src/lib/repo/chart-objects.ts'
import { bytesOf, dig, type Fields, isFields, listAt, textAt } from '../../src/lib/repo/fields.ts'
import { mergeValues } from '../../src/lib/repo/releases.ts'
import { renderCluster } from '../../src/lib/repo/render.ts'
import { type ClusterView, clusterView, type KnownRelease, ofKind } from '../../src/lib/repo/rules/view.ts'
import { parse } from '../../src/lib/repo/yaml.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import type { Cluster } from '../../src/lib/types.ts'
import { projectRoot } from './tool.ts'

const gigabyte = 1e9
const views = new Map<string, { cluster: Cluster; view: ClusterView }>()
beforeAll(async () => {
  const { clusters } = await loadRepository(projectRoot)
  for (const cluster of clusters) {
    const rendered = await renderCluster(projectRoot, cluster.name, { kustomize: kustomizeBuild(process.env) })
    views.set(cluster.name, { cluster, view: await clusterView(projectRoot, cluster, rendered) })
  }
})
const of = (name: string) => {
  const found = views.get(name)
  if (!found) throw new Error(`there is no cluster ${name}`)
  return found
}
const release = (cluster: string, name: string): KnownRelease => {
  const found = of(cluster).view.releases.find((each) => each.release.name === name)
  if (!found) throw new Error(`${cluster} has no release ${name}`)
  return found
}
const given = (cluster: string, name: string, path: string) => dig(release(cluster, name).release.values, path)

/** A pod and how many of it there are. */
interface Pods {
  name: string
  count: number
  containers: Fields[]
}

const podsOf = (kind: string, name: string, spec: unknown, nodes: number): Pods => {
  const pod = dig(spec, 'template.spec')
  const beside = listAt(pod, 'initContainers').filter((each) => textAt(each, 'restartPolicy') === 'Always')
  return {
    name,
    count: kind === 'DaemonSet' ? nodes : Number(dig(spec, 'replicas') ?? 1),
    containers: [...beside, ...listAt(pod, 'containers')].filter(isFields),
  }
}

/** What a release starts, by the record of its chart, and what the operator makes of its custom resources. */
function podsOfRelease({ release: { name, values: set }, facts }: KnownRelease, nodes: number): Pods[] {
  const values = mergeValues(facts?.defaults ?? {}, set)
  const isThere = ({ when = [] }: { when?: string[] }) => when.every((condition) => holds(condition, values))
  const started = (facts?.workloads ?? []).filter(isThere).map((workload) => ({
    name: `${name}: ${workload.name}`,
    count:
      workload.kind === 'DaemonSet'
        ? nodes
        : Number(workload.replicasValue ? dig(values, workload.replicasValue) : (workload.replicas ?? 1)),
    containers: workload.containers.map(({ name: container, resourcesValue = '' }) => ({
      name: container,
      resources: dig(values, resourcesValue) ?? {},
    })),
  }))
  const made = (facts?.objects ?? []).filter(isThere).filter(({ kind }) => componentKinds.includes(kind))
  return [
    ...started,
    ...made.flatMap(({ kind, apiVersion, spec }) => {
      const path = /^\{object:(.+)\}$/.exec(String(spec))?.[1] ?? ''
      const metadata = { name, namespace: 'observability', uid: '' }
      return componentObjects({ kind, apiVersion, metadata, spec: dig(values, path) as never })
        .filter((object) => /^(Deployment|StatefulSet)$/.test(object.kind))
        .map((object) => podsOf(object.kind, `${name}: ${object.metadata.name}`, object.spec, nodes))
    }),
  ]
}

function podsIn(cluster: string, namespace: string): Pods[] {
  const { view, cluster: facts } = of(cluster)
  const nodes = facts.nodes.length
  return [
    ...view.releases
      .filter((each) => each.release.releaseNamespace === namespace)
      .flatMap((each) => podsOfRelease(each, nodes)),
    ...ofKind(view, 'Deployment', 'StatefulSet', 'DaemonSet')
      .filter((one) => one.namespace === namespace && !one.release)
      .map((one) => podsOf(one.kind, one.name, one.object().spec, nodes)),
  ]
}

const requestedByOne = ({ containers }: Pods): number =>
  containers.reduce((sum, each) => sum + (bytesOf(textAt(each, 'resources.requests.memory')) ?? Number.NaN), 0)

const requested = (pods: Pods): number => pods.count * requestedByOne(pods)

describe('memory', () => {
  test.each(['infra', 'apps'])('every container of observability on %s says what it needs', (cluster) => {
    const silent = podsIn(cluster, 'observability')
      .filter((pods) => Number.isNaN(requested(pods)))
      .map(({ name }) => name)
    expect(silent).toEqual([])
  })

  test('observability on infra asks for less than 4 GB in all (NFR31)', () => {
    const all = podsIn('infra', 'observability')
    expect(all.map(({ name }) => name).join(' ')).toMatch(
      /vmsingle.*|victoria-logs|vmagent|node-exporter|grafana|gatus/,
    )
    const total = all.reduce((sum, each) => sum + requested(each), 0)
    expect(total).toBeGreaterThan(2 * gigabyte)
    expect(total).toBeLessThan(4 * gigabyte)
  })

  test.each(['infra', 'apps'])('every operator on %s asks for less than 500 MB (NFR32)', (cluster) => {
    const { view, cluster: facts } = of(cluster)
    // A chart that brings kinds and runs something is an operator; of its replicas one works, so it is a pod that counts.
    const operators = view.releases.filter(({ facts }) => facts?.crds?.length && facts.workloads.length > 0)
    expect(operators.map((each) => each.release.name)).toContain('victoria-metrics-operator')
    const large = operators
      .flatMap((operator) => podsOfRelease(operator, facts.nodes.length))
      .filter((pods) => !(requestedByOne(pods) < 0.5 * gigabyte))
      .map(({ name }) => name)
    expect(large).toEqual([])
  })
})

describe('what is kept', () => {
  test('metrics 90 days (NFR43), logs 30 days (NFR42)', () => {
    expect(given('infra', 'victoria-metrics', 'vmsingle.spec.retentionPeriod')).toBe('90d')
    expect(given('infra', 'victoria-logs', 'server.retentionPeriod')).toBe('30d')
  })

  test.each(['infra', 'apps'])('what %s cannot send waits on disk for two days', (cluster) => {
    const spec = given(cluster, 'cluster-metrics', 'vmagent.spec')
    const limit = bytesOf(String(textAt(spec, 'remoteWriteSettings.maxDiskUsagePerURL')).replace(/B$/, '')) ?? 0
    const claim = 'statefulStorage.volumeClaimTemplate.spec.resources.requests.storage'
    expect(limit).toBeGreaterThanOrEqual((150_000 / 30) * 8 * 2 * 86_400)
    expect(limit).toBeLessThan(bytesOf(textAt(spec, claim) ?? '') ?? 0)
    expect(dig(spec, 'statefulMode')).toBe(true)
  })
})

describe('who comes in', () => {
  const routes = () =>
    ofKind(of('infra').view, 'HTTPRoute').filter((one) =>
      JSON.stringify(one.object().spec).includes('vmauth-victoria-metrics'),
    )

  test('the gateway lets in four paths, each of which a user may use, and no user may do more', () => {
    const matches = routes().flatMap((one) =>
      listAt(one.object(), 'spec.rules').flatMap((rule) => listAt(rule, 'matches')),
    )
    expect(matches.map((match) => [textAt(match, 'path.type'), textAt(match, 'method')])).toEqual(
      matches.map(() => ['Exact', 'POST']),
    )
    const users = ofKind(of('infra').view, 'VMUser')
    const allowed = users.flatMap((one) =>
      listAt(one.object(), 'spec.targetRefs').flatMap((target) => listAt(target, 'paths').map(String)),
    )
    expect(matches.map((match) => textAt(match, 'path.value')).toSorted()).toEqual(allowed.toSorted())
    expect(dig(given('infra', 'victoria-metrics', 'vmauth.spec'), 'unauthorizedUserAccessSpec.disabled')).toBe(true)
  })

  test('routes lead to Services that the operator makes, and scraping is let in by the labels that it gives', () => {
    const made = (kind: string, name: string) => {
      const spec = given('infra', name, `${kind === 'VMAlertmanager' ? 'alertmanager' : kind.toLowerCase()}.spec`)
      const metadata = { name, namespace: 'observability', uid: '' }
      return componentObjects({
        apiVersion: 'operator.victoriametrics.com/v1beta1',
        kind,
        metadata,
        spec: spec as never,
      })
    }
    const served = ['VMAuth', 'VMAlertmanager'].flatMap((kind) =>
      made(kind, 'victoria-metrics')
        .filter((object) => object.kind === 'Service')
        .map((object) => [object.metadata.name, dig(object.spec, ['ports', 0, 'port'])]),
    )
    const backends = ofKind(of('infra').view, 'HTTPRoute')
      .filter(({ namespace }) => namespace === 'observability')
      .flatMap((one) => listAt(one.object(), 'spec.rules').flatMap((rule) => listAt(rule, 'backendRefs')))
      .filter((backend) => textAt(backend, 'name')?.startsWith('vm'))
      .map((backend) => [textAt(backend, 'name'), dig(backend, 'port')])
    expect(backends.length).toBeGreaterThan(2)
    for (const backend of backends) expect(served).toContainEqual(backend)
    const agent = made('VMAgent', 'cluster-metrics').find(({ kind }) => kind === 'StatefulSet')
    const labels = dig(agent?.spec, 'template.metadata.labels')
    const policy = ofKind(of('infra').view, 'CiliumClusterwideNetworkPolicy').find(
      ({ name }) => name === 'allow-monitoring',
    )
    const from = dig(policy?.object(), ['spec', 'ingress', 0, 'fromEndpoints', 0, 'matchLabels'])
    expect(labels).toMatchObject({ 'app.kubernetes.io/name': dig(from, ['k8s:app.kubernetes.io/name']) })
    expect(dig(from, ['k8s:io.kubernetes.pod.namespace'])).toBe('observability')
  })

  test('whoever writes has no right to read', () => {
    const [writer] = ofKind(of('infra').view, 'VMUser').filter(({ name }) => name === 'remote-write')
    const paths = listAt(writer?.object(), 'spec.targetRefs').flatMap((target) => listAt(target, 'paths'))
    expect(paths).toEqual(['/api/v1/write', '/insert/jsonline'])
  })

  test.each(['infra', 'apps'])('rules of %s are asked about it alone, by a path that the route has', (cluster) => {
    const asked = `${of(cluster).cluster.settings.TELEMETRY_URL}?extra_label=cluster=${cluster}`
    for (const from of ['datasource', 'remoteRead'])
      expect(given(cluster, 'cluster-metrics', `vmalert.spec.${from}.url`)).toBe(asked)
    expect(given(cluster, 'cluster-metrics', 'vmagent.spec.externalLabels')).toEqual({ cluster })
  })

  test('apps sends to a host that a route of infra has, over TLS', () => {
    const { settings } = of('apps').cluster
    const hosts = routes().flatMap((one) => listAt(one.object(), 'spec.hostnames'))
    expect(new Set(hosts)).toEqual(new Set([settings.TELEMETRY_HOST]))
    expect(settings.TELEMETRY_URL).toBe(`https://${settings.TELEMETRY_HOST}`)
    expect(settings).toMatchObject({ TELEMETRY_PORT: '443', TELEMETRY_TLS: 'On' })
    const alertmanager = ofKind(of('infra').view, 'HTTPRoute').find(({ name }) => name === 'alertmanager')
    const [host] = listAt(alertmanager?.object(), 'spec.hostnames')
    for (const cluster of ['infra', 'apps'])
      expect(of(cluster).cluster.settings.ALERTMANAGER_URL).toBe(`https://${host}`)
  })
})

describe('alerts', () => {
  const configuration = () => {
    const secret = ofKind(of('infra').view, 'ExternalSecret').find(({ name }) => name === 'alertmanager')
    const text = dig(secret?.object(), ['spec', 'target', 'template', 'data', 'alertmanager.yaml'])
    return parse(String(text).replaceAll(/\{\{ \.\w+ \}\}/g, '1'))
  }
  const seconds = (text: unknown) => {
    const [, number = '', unit = ''] = /^(\d+)(s|m|h)$/.exec(String(text)) ?? []
    return Number(number) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1)
  }

  test('what is critical is told within a minute, evaluation included (NFR41)', () => {
    const critical = listAt(configuration(), 'route.routes').find((route) =>
      listAt(route, 'matchers').includes('severity="critical"'),
    )
    expect(textAt(critical, 'receiver')).toBe('operator')
    for (const cluster of ['infra', 'apps']) {
      const interval = seconds(given(cluster, 'cluster-metrics', 'vmalert.spec.evaluationInterval'))
      for (const wait of ['group_wait', 'group_interval'])
        expect(interval + seconds(dig(critical, wait))).toBeLessThan(60)
    }
  })

  test('a sign of life of infra goes out every minute or more often, and of no other cluster', () => {
    const alive = listAt(configuration(), 'route.routes').filter((route) =>
      listAt(route, 'matchers').includes('alertname="Watchdog"'),
    )
    expect(alive.map((route) => [listAt(route, 'matchers').slice(1), textAt(route, 'receiver')])).toEqual([
      [['cluster="infra"'], 'dead-mans-switch'],
      [[], 'nobody'],
    ])
    expect(seconds(dig(alive[0], 'repeat_interval'))).toBeLessThanOrEqual(60)
  })
})
