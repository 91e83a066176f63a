/** What holds data: replicated, thin, backed up as often as promised, never pruned. */
import { backupKey, backupReasonKey } from '../backup-keys.ts'
import { dig, type Leaf, leaves, listAt, maps, type Path, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, aboutRelease, each, type Rule } from './rule.ts'
import { type ClusterView, type KnownRelease, ofKind, type RenderedObject } from './view.ts'

const prune = 'kustomize.toolkit.fluxcd.io/prune'

export const storageRules: Rule[] = [
  {
    id: 'prune-disabled',
    demands: 'PersistentVolumeClaims, namespaces, CRDs and priority classes in Git have prune disabled',
    why: 'Deleting one deletes the data, everything in it, every object of its kind, or every pod of its class; a line that was removed by mistake must not',
    fix: `annotation ${prune}: disabled`,
    source: 'issue 5',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'PersistentVolumeClaim', 'Namespace', 'CustomResourceDefinition', 'PriorityClass')
        .filter(({ release }) => !release)
        .filter((one) => !isNeverPruned(one))
        .map((one) => about(one, `has no annotation ${prune}: disabled`, ['metadata', 'annotations'])),
    ),
  },
  {
    id: 'database-retained',
    demands: 'A Database in Git says that it is retained',
    why: 'With delete the data goes with the object, and what a default says today it need not say tomorrow',
    fix: 'databaseReclaimPolicy: retain',
    source: 'NFR20',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'Database.postgresql.cnpg.io')
        .filter((one) => textAt(one.object(), 'spec.databaseReclaimPolicy') !== 'retain')
        .map((one) => about(one, 'does not say that it is retained', ['spec'])),
    ),
  },
  {
    id: 'volume-says-class',
    demands: 'A volume says its class and its size, in a claim and in the values of a chart that has a key for both',
    why: 'The default class, or a chart’s default size, is another disk than was meant, and a volume cannot be changed afterwards',
    fix: 'storageClassName: ceph-block or openebs-hostpath, and a size',
    source: 'FR26, FR27',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [
      ...ofKind(cluster, 'PersistentVolumeClaim')
        .filter(({ release }) => !release)
        .filter((one) => textAt(one.object(), 'spec.storageClassName') === undefined)
        .map((one) => about(one, 'says no storageClassName', ['spec'])),
      ...cluster.releases.flatMap(halfVolumes),
    ]),
  },
  {
    id: 'storage-replicas',
    demands: 'Ceph pools keep three replicas, on three hosts',
    why: 'One node has to be able to go, another to fail meanwhile',
    fix: 'replicated.size: 3, failureDomain: host',
    source: 'NFR22',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [
      ...ofKind(cluster, 'CephBlockPool', 'CephFilesystem').flatMap((one) =>
        poolFindings(one.object(), (message, path) => about(one, message, path)),
      ),
      ...cluster.releases
        .filter(({ release }) => release.chartName === 'rook-ceph-cluster')
        .flatMap(({ release }) =>
          poolFindings(release.values, (message, path) => aboutRelease(release, message, ['spec', 'values', ...path])),
        ),
    ]),
  },
  {
    id: 'storage-thin',
    demands: 'Ceph volumes are thin: nothing asks for thick provisioning',
    why: 'Only what is written takes space',
    fix: 'Take thickProvision out of the storage class',
    source: 'NFR33',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [
      ...ofKind(cluster, 'StorageClass').flatMap((one) =>
        thick(one.object()).map(({ path }) => about(one, 'provisions thick volumes', path)),
      ),
      ...cluster.releases.flatMap(({ release }) =>
        thick(release.values).map(({ path }) =>
          aboutRelease(release, 'provisions thick volumes', ['spec', 'values', ...path]),
        ),
      ),
    ]),
  },
  {
    id: 'stateful-has-backup',
    demands:
      'Every claim in Git has a ReplicationSource or says why it needs none, every CloudNativePG Cluster a ScheduledBackup',
    why: 'What is not backed up is lost with the cluster',
    fix: `Include the component volsync or cnpg; a cache has the annotations ${backupKey}: none and ${backupReasonKey}`,
    source: 'FR29, design section 8',
    scope: 'house',
    check: each(withoutBackup),
  },
  {
    id: 'volsync-schedule',
    demands: 'VolSync backs up every eight hours, and keeps 24 hourly and 7 daily snapshots',
    why: 'That is how much may be lost, and how far back one can go',
    fix: 'trigger.schedule: "0 */8 * * *", restic.retain: {hourly: 24, daily: 7}',
    source: 'FR29',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => ofKind(cluster, 'ReplicationSource').flatMap(volsync)),
  },
  {
    id: 'cnpg-backup',
    demands:
      'A CloudNativePG Cluster archives its WAL with plugin-barman-cloud; its ObjectStore compresses with bzip2 and keeps 30 days; it has a base backup every day',
    why: 'Point-in-time recovery over 30 days',
    fix: 'Include the component cnpg (ADR 0012)',
    source: 'FR31, ADR 0012',
    scope: 'house',
    check: each(cnpg),
  },
  {
    id: 'r2-checksums',
    demands: 'Whatever writes to R2 asks for checksums only when required',
    why: 'R2 refuses the trailing checksums that newer AWS SDKs send by default',
    fix: 'AWS_REQUEST_CHECKSUM_CALCULATION and AWS_RESPONSE_CHECKSUM_VALIDATION: when_required',
    source: 'NFR37',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ObjectStore')
        .filter((one) =>
          /r2\.cloudflarestorage\.com/.test(textAt(one.object(), 'spec.configuration.endpointURL') ?? ''),
        )
        .flatMap((one) => {
          const path = ['spec', 'instanceSidecarConfiguration', 'env']
          const env = listAt(one.object(), path.join('.'))
          return ['AWS_REQUEST_CHECKSUM_CALCULATION', 'AWS_RESPONSE_CHECKSUM_VALIDATION']
            .filter(
              (name) =>
                !env.some((entry) => textAt(entry, 'name') === name && textAt(entry, 'value') === 'when_required'),
            )
            .map((name) => about(one, `${name} is not when_required`, path))
        }),
    ),
  },
]

/** By the keys that the chart reads: `x.size` and `x.storageClass` beside it, of which one is set. */
function halfVolumes({ release, facts }: KnownRelease): Finding[] {
  const keys = facts?.values ?? []
  return keys.flatMap((key) => {
    const [, parent = '', word = ''] = /^(?:(.*)\.)?(storageClass(?:Name)?)$/.exec(key) ?? []
    const size = `${parent === '' ? '' : `${parent}.`}size`
    if (word === '' || !keys.includes(size)) return []
    const [hasSize, hasClass] = [size, key].map((path) => textAt(release.values, path) !== undefined)
    if (hasSize === hasClass) return []
    return [
      aboutRelease(release, `${hasSize ? key : size} is not set beside the other`, [
        'spec',
        'values',
        ...parent.split('.'),
      ]),
    ]
  })
}

/** Flux's annotation or Helm's, or a Kustomization that never prunes. */
export function isNeverPruned(one: RenderedObject): boolean {
  const { annotations, labels } = one.object().metadata
  return (
    [annotations, labels].some((map) => map?.[prune] === 'disabled') ||
    annotations?.['helm.sh/resource-policy'] === 'keep' ||
    one.kustomization.raw.prune === false
  )
}

const poolFindings = (value: unknown, at: (message: string, path: Path) => Finding): Finding[] =>
  maps(value).flatMap(({ map, path }) => {
    const size = textAt(map, 'replicated.size')
    if (size === undefined) return []
    const domain = textAt(map, 'failureDomain')
    return [
      ...(Number(size) < 3 ? [at(`keeps ${size} replicas, not 3`, [...path, 'replicated', 'size'])] : []),
      ...(domain !== undefined && domain !== 'host'
        ? [at(`failureDomain is ${domain}, not host`, [...path, 'failureDomain'])]
        : []),
    ]
  })

const thick = (value: unknown): Leaf[] =>
  leaves(value).filter(({ path, value: text }) => path.at(-1) === 'thickProvision' && String(text) === 'true')

/** As `k8sops backup status` reads it of what is live. */
function needsNoBackup(one: RenderedObject): boolean {
  const { annotations } = one.object().metadata
  return annotations?.[backupKey] === 'none' && Boolean(annotations[backupReasonKey])
}

function withoutBackup(cluster: ClusterView): Finding[] {
  const sources = new Set(
    ofKind(cluster, 'ReplicationSource').map((one) => `${one.namespace}/${textAt(one.object(), 'spec.sourcePVC')}`),
  )
  const scheduled = new Set(
    ofKind(cluster, 'ScheduledBackup').map((one) => `${one.namespace}/${textAt(one.object(), 'spec.cluster.name')}`),
  )
  return [
    ...ofKind(cluster, 'PersistentVolumeClaim')
      .filter(({ release, namespace, name }) => !release && !sources.has(`${namespace}/${name}`))
      .filter((one) => !needsNoBackup(one))
      .map((one) => about(one, 'has no ReplicationSource')),
    ...ofKind(cluster, 'Cluster.postgresql.cnpg.io')
      .filter(({ namespace, name }) => !scheduled.has(`${namespace}/${name}`))
      .map((one) => about(one, 'has no ScheduledBackup')),
  ]
}

function volsync(one: RenderedObject): Finding[] {
  const object = one.object()
  const findings: Finding[] = []
  const schedule = textAt(object, 'spec.trigger.schedule')
  if (schedule !== undefined || textAt(object, 'spec.trigger.manual') === undefined) {
    const every = /^\d+ (?:\*\/(\d+)|\d+(?:[,-/]\d+)*) \* \* \*$/.exec(schedule ?? '')
    const perDay = every?.[1] ? 24 / Number(every[1]) : ((schedule ?? '').split(' ')[1] ?? '').split(',').length
    if (!every || perDay < 3)
      findings.push(
        about(one, `schedule ${schedule ?? '(none)'} is not every eight hours`, ['spec', 'trigger', 'schedule']),
      )
  }
  for (const [key, least] of [
    ['hourly', 24],
    ['daily', 7],
  ] as const) {
    const kept = textAt(object, `spec.restic.retain.${key}`)
    if (dig(object, 'spec.restic') !== undefined && !(Number(kept ?? 0) >= least))
      findings.push(
        about(one, `keeps ${kept ?? 'no'} ${key} snapshots, not ${least}`, ['spec', 'restic', 'retain', key]),
      )
  }
  return findings
}

function cnpg(cluster: ClusterView): Finding[] {
  const archives = (one: RenderedObject) =>
    listAt(one.object(), 'spec.plugins').some(
      (plugin) => textAt(plugin, 'name') === 'barman-cloud.cloudnative-pg.io' && dig(plugin, 'isWALArchiver') === true,
    )
  return [
    ...ofKind(cluster, 'Cluster.postgresql.cnpg.io')
      .filter((one) => !archives(one))
      .map((one) => about(one, 'has no plugin barman-cloud.cloudnative-pg.io with isWALArchiver', ['spec', 'plugins'])),
    ...ofKind(cluster, 'ObjectStore').flatMap((one) => {
      const object = one.object()
      const retention = textAt(object, 'spec.retentionPolicy') ?? ''
      return [
        ...(/^(30|[3-9]\d|\d{3,})d$/.test(retention)
          ? []
          : [about(one, `retentionPolicy is ${retention || 'unset'}, less than 30d`, ['spec', 'retentionPolicy'])]),
        ...(['wal', 'data'] as const)
          .filter((part) => textAt(object, `spec.configuration.${part}.compression`) !== 'bzip2')
          .map((part) =>
            about(one, `${part} is not compressed with bzip2`, ['spec', 'configuration', part, 'compression']),
          ),
      ]
    }),
    // Six fields, seconds first.
    ...ofKind(cluster, 'ScheduledBackup')
      .filter(
        (one) =>
          !/^\S+ \S+ \S+ (\*|\*\/1) (\*|\*\/1) (\*|\?)$|^@(daily|hourly|every (\d|1\d|2[0-4])h)$/.test(
            textAt(one.object(), 'spec.schedule') ?? '',
          ),
      )
      .map((one) =>
        about(one, `schedule ${textAt(one.object(), 'spec.schedule')} is not every day`, ['spec', 'schedule']),
      ),
  ]
}
