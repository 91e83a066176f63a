/** Numbers that the requirements name: how often, how long before, how many, how safe on the way. */
import { dig, durationOf, leaves, listAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, aboutKustomization, aboutRelease, each, type Rule } from './rule.ts'
import { ofKind, type RenderedObject } from './view.ts'

export const numberRules: Rule[] = [
  {
    id: 'source-interval',
    demands: 'The Git source is read at least every minute, or a Receiver tells of pushes',
    why: 'A push has to be applied within five minutes',
    fix: 'interval: 1m (flux-instance: instance.sync.interval), or a Receiver for GitHub',
    source: 'NFR1',
    scope: 'house',
    check: each((cluster) => {
      const told = new Set(
        ofKind(cluster, 'Receiver').flatMap((one) =>
          listAt(one.object(), 'spec.resources').map((resource) => textAt(resource, 'name')),
        ),
      )
      const sync = cluster.releases.filter(({ release }) => release.chartName === 'flux-instance')
      return [
        ...ofKind(cluster, 'GitRepository')
          .filter(({ name }) => !told.has(name))
          .flatMap((one) => longerThan(one, 'spec.interval', 60)),
        ...sync.flatMap(({ release }) => {
          const text = textAt(release.values, 'instance.sync.interval')
          if (told.has('flux-system') || (durationOf(text) ?? Number.POSITIVE_INFINITY) <= 60) return []
          return [
            aboutRelease(
              release,
              `instance.sync.interval is ${text ?? 'unset'}, more than 1m, and no Receiver tells of pushes`,
              ['spec', 'values', 'instance', 'sync', 'interval'],
            ),
          ]
        }),
      ]
    }),
  },
  {
    id: 'kustomization-interval',
    demands:
      'A Kustomization is applied at least every five minutes, tried again within two after a failure, and has a timeout',
    why: 'A change has to be applied within five minutes, and what was changed by hand put back',
    fix: 'interval: 5m, retryInterval: 1m, timeout: 5m',
    source: 'NFR1, NFR35',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ rendered }) =>
      rendered
        .map(({ kustomization }) => kustomization)
        .filter(({ parent }) => parent !== undefined)
        .flatMap((one) => {
          const [interval, retry, timeout] = ['interval', 'retryInterval', 'timeout'].map((key) => textAt(one.raw, key))
          return [
            ...(durationOf(timeout) === undefined
              ? [aboutKustomization(one, 'timeout is unset: it would be the interval', ['spec', 'timeout'])]
              : []),
            ...((durationOf(interval) ?? Number.POSITIVE_INFINITY) <= 300
              ? []
              : [aboutKustomization(one, `interval is ${interval ?? 'unset'}, more than 5m`, ['spec', 'interval'])]),
            ...((durationOf(retry ?? interval) ?? Number.POSITIVE_INFINITY) <= 120
              ? []
              : [
                  aboutKustomization(one, `retryInterval is ${retry ?? 'unset'}, more than 2m`, [
                    'spec',
                    'retryInterval',
                  ]),
                ]),
          ]
        }),
    ),
  },
  {
    id: 'schedule-says-zone',
    demands: 'A CronJob that begins at an hour says in which time zone',
    why: 'Without one it is that of the controller manager: three in the morning is in the middle of somebody’s day',
    fix: 'timeZone: Asia/Jakarta, or Etc/UTC',
    source: 'Kubernetes, docs/patterns.md',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CronJob')
        .filter(({ release }) => !release)
        .filter((one) => textAt(one.object(), 'spec.timeZone') === undefined)
        .filter((one) => /^\S+ \d/.test(textAt(one.object(), 'spec.schedule') ?? ''))
        .map((one) => about(one, 'says no timeZone', ['spec', 'schedule'])),
    ),
  },
  {
    id: 'secret-refresh',
    demands: 'An ExternalSecret is refreshed at least every five minutes',
    why: 'A secret that was changed in 1Password has to reach the cluster within five minutes',
    fix: 'refreshInterval: 5m',
    source: 'NFR5',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ExternalSecret', 'ClusterExternalSecret').flatMap((one) =>
        longerThan(
          one,
          one.kind === 'ExternalSecret' ? 'spec.refreshInterval' : 'spec.externalSecretSpec.refreshInterval',
          300,
        ),
      ),
    ),
  },
  {
    id: 'certificate-renewal',
    demands: 'A certificate is renewed 720 h before it ends, or earlier',
    why: 'Thirty days to notice that renewing does not work',
    fix: 'renewBefore: 720h, with a duration that is longer',
    source: 'NFR6',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'Certificate').flatMap((one): Finding[] => {
        const text = textAt(one.object(), 'spec.renewBefore')
        const [before, duration] = [durationOf(text), durationOf(textAt(one.object(), 'spec.duration') ?? '2160h')]
        if (before === undefined || before < 720 * 3600)
          return [about(one, `renewBefore is ${text ?? 'unset'}, less than 720h`, ['spec', 'renewBefore'])]
        if (duration !== undefined && before >= duration)
          return [about(one, `renewBefore ${text} is not less than its duration`, ['spec', 'renewBefore'])]
        return []
      }),
    ),
  },
  {
    id: 'dns-interval',
    demands: 'external-dns looks at least every minute, and at every event',
    why: 'A route has to have its record within 60 s',
    fix: 'interval: 1m, triggerLoopOnEvent: true',
    source: 'NFR36',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ releases }) =>
      releases
        .filter(({ release }) => release.chartName === 'external-dns')
        .flatMap(({ release }) => {
          const interval = textAt(release.values, 'interval') ?? '1m'
          return [
            ...((durationOf(interval) ?? Number.POSITIVE_INFINITY) <= 60
              ? []
              : [aboutRelease(release, `interval is ${interval}, more than 1m`, ['spec', 'values', 'interval'])]),
            ...(release.values.triggerLoopOnEvent === true
              ? []
              : [aboutRelease(release, 'triggerLoopOnEvent is not true', ['spec', 'values', 'triggerLoopOnEvent'])]),
          ]
        }),
    ),
  },
  {
    id: 'pod-traffic-encrypted',
    demands: 'Cilium encrypts pod traffic between nodes with WireGuard',
    why: 'All internal communication is encrypted',
    fix: 'encryption: {enabled: true, type: wireguard}',
    source: 'NFR11',
    scope: 'house',
    looksAt: 'itself',
    check: each(({ releases }) =>
      releases
        .filter(({ release }) => release.chartName === 'cilium')
        .filter(
          ({ release: { values } }) =>
            dig(values, 'encryption.enabled') !== true || textAt(values, 'encryption.type') !== 'wireguard',
        )
        .map(({ release }) => aboutRelease(release, 'encryption is not WireGuard', ['spec', 'values', 'encryption'])),
    ),
  },
  {
    id: 'remote-write-tls',
    demands: 'Metrics and logs leave a cluster over TLS',
    why: 'All internal communication is encrypted',
    fix: 'An https:// URL of the receiving cluster’s gateway',
    source: 'NFR11',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [
      ...cluster.releases.flatMap(({ release }) =>
        plainWrites(release.values).map(({ path, text }) =>
          aboutRelease(release, `${text} is not TLS`, ['spec', 'values', ...path]),
        ),
      ),
      ...ofKind(cluster, 'VMAgent', 'Prometheus').flatMap((one) =>
        plainWrites(one.object()).map(({ path, text }) => about(one, `${text} is not TLS`, path)),
      ),
    ]),
  },
  {
    id: 'secret-store-retries',
    demands: 'A secret store says how often it tries again',
    why: '1Password Connect restarts; a store that gives up leaves every secret stale',
    fix: 'spec.retrySettings: {maxRetries: 5, retryInterval: 10s}',
    source: 'NFR34',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ClusterSecretStore', 'SecretStore')
        .filter((one) => !(Number(textAt(one.object(), 'spec.retrySettings.maxRetries') ?? 0) > 0))
        .map((one) => about(one, 'has no retrySettings.maxRetries', ['spec', 'retrySettings'])),
    ),
  },
  {
    id: 'store-reference-has-namespace',
    demands: 'A ClusterSecretStore says in which namespace the Secret that it authenticates with is',
    why: 'Without it the Secret is looked for in the namespace of each ExternalSecret',
    fix: 'connectTokenSecretRef: {name, namespace, key}',
    source: 'External Secrets',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ClusterSecretStore').flatMap((one) =>
        leaves(dig(one.object(), 'spec.provider'))
          .filter(({ path }) => path.at(-1) === 'name' && /SecretRef$/.test(String(path.at(-2))))
          .map(({ path }) => ['spec', 'provider', ...path.slice(0, -1)])
          .filter((path) => dig(one.object(), [...path, 'namespace']) === undefined)
          .map((path) => about(one, `${path.at(-1)} names no namespace`, path)),
      ),
    ),
  },
  {
    id: 'no-prometheus-or-loki',
    demands: 'No Prometheus server and no Loki is left; VictoriaMetrics and VictoriaLogs take their place',
    why: 'Together they would need several times the 4 GB that observability may take',
    fix: 'Use vmagent, vmsingle, VictoriaLogs; prometheus-operator-crds alone are fine',
    source: 'NFR31',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [
      ...cluster.releases
        .filter(({ release }) =>
          /^(kube-prometheus-stack|prometheus|loki|loki-stack|promtail)$/.test(release.chartName),
        )
        .map(({ release }) => aboutRelease(release, `chart ${release.chartName}`)),
      ...ofKind(cluster, 'Prometheus', 'PrometheusAgent', 'Alertmanager.monitoring.coreos.com').map((one) =>
        about(one, 'is of the Prometheus operator'),
      ),
    ]),
  },
]

const longerThan = (one: RenderedObject, path: string, most: number): Finding[] => {
  const text = textAt(one.object(), path)
  if ((durationOf(text) ?? Number.POSITIVE_INFINITY) <= most) return []
  return [about(one, `${path.split('.').at(-1)} is ${text ?? 'unset'}, more than ${most / 60}m`, path.split('.'))]
}

/** URLs under remoteWrite (or external.vm.write) that are neither TLS nor of this cluster's own services. */
function plainWrites(value: unknown): { path: (string | number)[]; text: string }[] {
  return leaves(value)
    .filter(
      ({ path, value: text }) =>
        /remoteWrite|write/i.test(path.join('.')) && path.at(-1) === 'url' && typeof text === 'string',
    )
    .map(({ path, value: text }) => ({ path, text: String(text) }))
    .filter(
      ({ text }) =>
        /^http:\/\//.test(text) && !/^http:\/\/[\w-]+(\.[\w-]+)?(\.svc(\.cluster\.local)?)?(:\d+)?(\/|$)/.test(text),
    )
}
