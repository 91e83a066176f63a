/** Workloads of ours are complete: what a container is given, mounts and answers is stated. */
import { dig, isFields, listAt, listsNamed, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { takesOf } from '../takes.ts'
import { podOf } from './charts.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const workloadRules: Rule[] = [
  {
    id: 'variable-has-value',
    demands: 'A variable of a container has a value, or says where it comes from',
    why: 'Without one it is empty, and most programs take that for another setting than the one that was meant',
    fix: 'value: "", when it is meant to be empty',
    source: 'Kubernetes',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      containersOf(cluster).flatMap(({ one, container, path }) =>
        listAt(container, 'env').flatMap((variable, index) =>
          dig(variable, 'value') !== undefined || dig(variable, 'valueFrom') !== undefined
            ? []
            : [about(one, `${textAt(variable, 'name')} has no value`, [...path, 'env', index])],
        ),
      ),
    ),
  },
  {
    id: 'pod-volume-used',
    demands: 'A volume of a pod is mounted by one of its containers',
    why: 'What was to be written there is written elsewhere, and gone with the pod',
    fix: 'volumeMounts of the container, or no volume',
    source: 'Kubernetes',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => workloadsOf(cluster).flatMap(idleVolumes)),
  },
  {
    id: 'container-probed',
    demands: 'A container that serves something says how one sees that it lives and that it is ready',
    why: 'Without them requests are sent to what does not answer, and nobody restarts it',
    fix: 'livenessProbe and readinessProbe',
    source: 'docs/patterns.md',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      containersOf(cluster)
        .filter(
          ({ one, container, path }) =>
            serving.test(one.kind) && path.at(-2) === 'containers' && listAt(container, 'ports').length > 0,
        )
        .flatMap(({ one, container, path }) =>
          ['livenessProbe', 'readinessProbe']
            .filter((key) => dig(container, key) === undefined)
            .map((key) => about(one, `container ${textAt(container, 'name')} has no ${key}`, path)),
        ),
    ),
  },
  {
    id: 'toleration-says-operator',
    demands: 'A toleration says its operator, or a value',
    why: 'Without either it tolerates the taint with an empty value only',
    fix: 'operator: Exists',
    source: 'Kubernetes',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      cluster.objects
        .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
        .flatMap((one) =>
          listsNamed('tolerations', one.object()).flatMap(({ list, path }) =>
            list.flatMap((item, index) =>
              ['operator', 'value'].some((key) => dig(item, key) !== undefined)
                ? []
                : [about(one, `tolerates ${textAt(item, 'key')} without an operator`, [...path, index])],
            ),
          ),
        ),
    ),
  },
  {
    id: 'probe-says-path',
    demands: 'A probe over HTTP says which path it asks',
    why: 'Without one it asks /, which answers as long as anything does, or redirects to a login',
    fix: 'httpGet: {path: /healthz, port: http}',
    source: 'Kubernetes',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      containersOf(cluster).flatMap(({ one, container, path }) =>
        ['livenessProbe', 'readinessProbe', 'startupProbe']
          .filter((probe) => isFields(dig(container, [probe, 'httpGet'])))
          .filter((probe) => textAt(container, [probe, 'httpGet', 'path']) === undefined)
          .map((probe) => about(one, `${probe} says no path`, [...path, probe, 'httpGet'])),
      ),
    ),
  },
  {
    id: 'pod-user-whole',
    demands:
      'A pod that says its user says its group, too; one with a claim also says fsGroup, and that its files are changed only when they have to be',
    why: 'With half of it files belong to root’s group, or cannot be written; without OnRootMismatch each start goes through all files of the volume',
    fix: 'securityContext: {runAsUser, runAsGroup, fsGroup, fsGroupChangePolicy: OnRootMismatch}',
    source: 'Kubernetes, docs/patterns.md',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      workloadsOf(cluster).flatMap((one) => {
        const { pod, path } = podOf(one)
        const has = (key: string) => dig(pod, ['securityContext', key]) !== undefined
        const keeps = listAt(pod, 'volumes').some((volume) => dig(volume, 'persistentVolumeClaim') !== undefined)
        const wanted = [
          ...(has('runAsUser') || has('runAsGroup') ? ['runAsUser', 'runAsGroup'] : []),
          ...(keeps ? ['fsGroup', 'fsGroupChangePolicy'] : []),
        ]
        return wanted
          .filter((key) => !has(key))
          .map((key) => about(one, `${key} is unset`, [...path, 'securityContext']))
      }),
    ),
  },
  {
    id: 'restarted-for-changes',
    demands:
      'A workload that runs on and takes from a Secret or a ConfigMap asks Reloader for a restart when they change',
    why: 'A password that was changed in 1Password reaches the Secret, and the process keeps the old one until somebody restarts it',
    fix: 'metadata.annotations: {reloader.stakater.com/auto: "true"}',
    source: 'NFR5',
    scope: 'house',
    looksAt: 'itself',
    check: (view) =>
      each((cluster) =>
        workloadsOf(cluster)
          .filter((one) => serving.test(one.kind) && takesOf(one, view.schemas).length > 0)
          .filter((one) => textAt(one.object(), ['metadata', 'annotations', reloader]) !== 'true')
          .map((one) => about(one, `has no annotation ${reloader}`, ['metadata'])),
      )(view),
  },
  {
    id: 'token-not-mounted',
    demands: 'A pod that has no ServiceAccount of its own gets no token of the API server',
    why: 'Whoever breaks into it would have somebody to speak as',
    fix: 'automountServiceAccountToken: false, or serviceAccountName',
    source: 'NFR14',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      workloadsOf(cluster)
        .filter((one) => {
          const { pod } = podOf(one)
          return textAt(pod, 'serviceAccountName') === undefined && pod.automountServiceAccountToken !== false
        })
        .map((one) => about(one, 'gets the token of ServiceAccount default', podOf(one).path)),
    ),
  },
]

const reloader = 'reloader.stakater.com/auto'
const serving = /^(Deployment|StatefulSet|DaemonSet)$/

const workloadsOf = (cluster: ClusterView): RenderedObject[] =>
  ofKind(cluster, 'Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job').filter(({ release }) => !release)

const containersOf = (cluster: ClusterView): { one: RenderedObject; container: unknown; path: YamlPath }[] =>
  workloadsOf(cluster).flatMap((one) => {
    const { pod, path } = podOf(one)
    return ['containers', 'initContainers'].flatMap((list) =>
      listAt(pod, list).map((container, index) => ({ one, container, path: [...path, list, index] })),
    )
  })

function idleVolumes(one: RenderedObject): Finding[] {
  const { pod, path } = podOf(one)
  const mounted = new Set(
    ['containers', 'initContainers'].flatMap((list) =>
      listAt(pod, list).flatMap((container) =>
        [...listAt(container, 'volumeMounts'), ...listAt(container, 'volumeDevices')].map((mount) =>
          textAt(mount, 'name'),
        ),
      ),
    ),
  )
  return listAt(pod, 'volumes').flatMap((volume, index) =>
    mounted.has(textAt(volume, 'name'))
      ? []
      : [about(one, `nothing mounts ${textAt(volume, 'name')}`, [...path, 'volumes', index])],
  )
}
