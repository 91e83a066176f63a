/**
 * What a tree means: what Flux would apply, less what an API or a chart fills in by itself, and what talhelper makes of the machines.
 * Two trees with one meaning differ for nobody. Only what is documented as a default is taken for one.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dig } from '../../src/lib/repo/fields.ts'
import type { RepositoryView } from '../../src/lib/repo/rules/view.ts'
import type { Json, KubeObject } from '../../src/lib/types.ts'
import { runTool } from '../repo/tool.ts'

const podFields: Record<string, Json> = {
  dnsPolicy: 'ClusterFirst',
  enableServiceLinks: true,
  terminationGracePeriodSeconds: 30,
  'containers.*.ports.*.protocol': 'TCP',
  'volumes.*.configMap.defaultMode': 0o644,
  'volumes.*.secret.defaultMode': 0o644,
  ...Object.fromEntries(
    ['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((probe) =>
      Object.entries({ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }).map(
        ([key, value]) => [`containers.*.${probe}.${key}`, value],
      ),
    ),
  ),
}
const pod = (path: string): Record<string, Json> =>
  Object.fromEntries(Object.entries(podFields).map(([key, value]) => [`${path}.${key}`, value]))

/** By `Kind.group`: pkg/apis/<group>/v1/defaults.go of Kubernetes 1.35, `+kubebuilder:default` and the field's documentation of the others. */
const defaults: Record<string, Record<string, Json>> = {
  'Deployment.apps': {
    ...pod('spec.template.spec'),
    'spec.replicas': 1,
    'spec.strategy.type': 'RollingUpdate',
    'spec.revisionHistoryLimit': 10,
  },
  'StatefulSet.apps': { ...pod('spec.template.spec'), 'spec.replicas': 1 },
  'DaemonSet.apps': pod('spec.template.spec'),
  'CronJob.batch': {
    ...pod('spec.jobTemplate.spec.template.spec'),
    'spec.concurrencyPolicy': 'Allow',
    'spec.suspend': false,
    'spec.successfulJobsHistoryLimit': 3,
    'spec.failedJobsHistoryLimit': 1,
    'spec.jobTemplate.spec.backoffLimit': 6,
  },
  'Service.': { 'spec.type': 'ClusterIP', 'spec.ports.*.protocol': 'TCP' },
  'RoleBinding.rbac.authorization.k8s.io': { 'roleRef.apiGroup': 'rbac.authorization.k8s.io' },
  'ClusterRoleBinding.rbac.authorization.k8s.io': { 'roleRef.apiGroup': 'rbac.authorization.k8s.io' },
  'ValidatingAdmissionPolicy.admissionregistration.k8s.io': { 'spec.failurePolicy': 'Fail' },
  // external-secrets 2.4, apis/externalsecrets/v1.
  'ExternalSecret.external-secrets.io': {
    'spec.target.creationPolicy': 'Owner',
    'spec.target.deletionPolicy': 'Retain',
    'spec.target.template.engineVersion': 'v2',
    'spec.target.template.mergePolicy': 'Replace',
  },
  // cert-manager 1.20, pkg/apis/certmanager/v1/types_certificate.go.
  'Certificate.cert-manager.io': { 'spec.issuerRef.group': 'cert-manager.io', 'spec.privateKey.encoding': 'PKCS1' },
  // gateway-api 1.4.
  'HTTPRoute.gateway.networking.k8s.io': {
    'spec.parentRefs.*.group': 'gateway.networking.k8s.io',
    'spec.parentRefs.*.kind': 'Gateway',
    'spec.rules.*.backendRefs.*.kind': 'Service',
    'spec.rules.*.backendRefs.*.weight': 1,
    'spec.rules.*.matches.*.path.type': 'PathPrefix',
  },
  'Gateway.gateway.networking.k8s.io': {
    'spec.listeners.*.allowedRoutes.namespaces.from': 'Same',
    'spec.listeners.*.tls.mode': 'Terminate',
    'spec.listeners.*.tls.certificateRefs.*.kind': 'Secret',
  },
  // envoyproxy/gateway 1.7, api/v1alpha1.
  'ClientTrafficPolicy.gateway.envoyproxy.io': { 'spec.tls.minVersion': '1.2' },
  // Flux 2.7.
  'Kustomization.kustomize.toolkit.fluxcd.io': { 'spec.wait': false, 'spec.force': false },
  'Alert.notification.toolkit.fluxcd.io': { 'spec.eventSeverity': 'info' },
}

/** Takes a value away where it is what stands there anyway, with what it leaves empty. */
function take(value: unknown, keys: readonly string[], expected: Json): void {
  const [key = '', ...rest] = keys
  if (key === '*') {
    if (Array.isArray(value)) for (const item of value) take(item, rest, expected)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const fields = value as Record<string, unknown>
  if (rest.length > 0) take(fields[key], rest, expected)
  const below = fields[key]
  const isEmpty = typeof below === 'object' && below !== null && rest.length > 0 && Object.keys(below).length === 0
  if ((rest.length === 0 && below === expected) || (isEmpty && !Array.isArray(below))) delete fields[key]
}

/** An object without what its API would fill in anyway, so that leaving it out is equal; and with its dependencies in one order. */
function withoutDefaults(object: KubeObject, group: string, chart?: { [key: string]: Json }): KubeObject {
  const copy = structuredClone(object) as KubeObject & { spec?: Record<string, unknown> }
  for (const [path, expected] of Object.entries(defaults[`${copy.kind}.${group}`] ?? {}))
    take(copy, path.split('.'), expected)
  if (copy.kind === 'ExternalSecret') take(copy, ['spec', 'target', 'name'], copy.metadata.name)
  if (chart) takeAll(dig(copy, 'spec.values'), chart)
  const { spec } = copy
  if (Array.isArray(spec?.dependsOn)) spec.dependsOn = spec.dependsOn.map((one) => JSON.stringify(one)).sort()
  return copy
}

/** Values that are those of the chart itself, as far as its record (lab/charts) has them. */
function takeAll(values: unknown, known: { [key: string]: Json }, path: string[] = [], root: unknown = values): void {
  for (const [key, value] of Object.entries(known)) {
    const at = [...path, key]
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) takeAll(values, value, at, root)
    else take(root, at, value)
  }
}

/** What Flux would apply. */
export function appliedBy({ clusters }: RepositoryView): string {
  return JSON.stringify(
    clusters.map(({ objects, rendered, releases }) => {
      const charts = new Map(
        releases.map(({ release, facts }) => [`${release.namespace}/${release.name}`, facts?.defaults]),
      )
      return [
        objects
          .map((one) => {
            const chart = one.kind === 'HelmRelease' ? charts.get(`${one.namespace}/${one.name}`) : undefined
            return JSON.stringify(withoutDefaults(one.object(), one.group, chart))
          })
          .sort(),
        rendered
          .map(({ kustomization: { raw } }) => {
            const object = { kind: 'Kustomization', metadata: {}, spec: raw } as unknown as KubeObject
            return JSON.stringify(withoutDefaults(object, 'kustomize.toolkit.fluxcd.io'))
          })
          .sort(),
      ]
    }),
  )
}

export interface Machines {
  /** The configurations that talhelper makes of the tree as it is now; `refused`, with the reason, when it makes none. */
  make(): string
  remove(): void
}

/** The machines of a tree, with secrets that stay the same. */
export function machinesOf(root: string): Machines {
  const scratch = mkdtempSync(join(tmpdir(), 'k8sops-machines-'))
  const env = { HOME: scratch, PATH: '' }
  const secret = join(scratch, 'talsecret.yaml')
  writeFileSync(secret, runTool('talhelper', ['gensecret'], { cwd: scratch, env }))
  const clusters = readdirSync(join(root, 'talos')).filter((name) =>
    existsSync(join(root, 'talos', name, 'talconfig.yaml')),
  )
  const makeOf = (cluster: string): string[] => {
    const out = join(scratch, cluster)
    rmSync(out, { recursive: true, force: true })
    const cwd = join(root, 'talos', cluster)
    runTool('talhelper', ['genconfig', '--offline-mode', '-c', 'talconfig.yaml', '-s', secret, '-o', out], { cwd, env })
    const names = readdirSync(out).filter((name) => name.endsWith('.yaml'))
    return names.map((name) => `${name}\n${readFileSync(join(out, name), 'utf8')}`)
  }
  return {
    make() {
      try {
        return clusters.flatMap(makeOf).join('')
      } catch (error) {
        return `refused: ${(error as Error).message}`
      }
    },
    remove: () => rmSync(scratch, { recursive: true }),
  }
}
