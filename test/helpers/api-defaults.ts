/**
 * What an API fills in by itself, by `Kind.group` and path (`*` goes through a list): leaving it out is equal. Of custom resources it is what
 * their CRDs say (test/fixtures/api-defaults.json, made by defaults-from-crds.ts); of Kubernetes what its API server answers, and of some fields
 * what their documentation says. test/repo/api-defaults.test.ts and test/lab/kubernetes-defaults.test.ts hold all three to what can be had here.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json } from '../../src/lib/types.ts'
import type { ApiDefaults } from './defaults-from-crds.ts'

type Defaults = Record<string, Record<string, Json>>

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

/** Of Kubernetes 1.35: pkg/apis/<group>/v1/defaults.go. */
export const ofKubernetes: Defaults = {
  'Deployment.apps': {
    ...pod('spec.template.spec'),
    'spec.replicas': 1,
    'spec.strategy.type': 'RollingUpdate',
    'spec.revisionHistoryLimit': 10,
    'spec.template.spec.restartPolicy': 'Always',
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
  'RoleBinding.rbac.authorization.k8s.io': {
    'roleRef.apiGroup': 'rbac.authorization.k8s.io',
    'subjects.*.apiGroup': 'rbac.authorization.k8s.io',
  },
  'ClusterRoleBinding.rbac.authorization.k8s.io': { 'roleRef.apiGroup': 'rbac.authorization.k8s.io' },
  'ValidatingAdmissionPolicy.admissionregistration.k8s.io': { 'spec.failurePolicy': 'Fail' },
}

/** What a controller takes without the field, in the words of the field's own description; no CRD says it by `default:`. */
export const documented: Defaults = {
  // cert-manager 1.20, types_certificate.go: "defaults to 90 days", "If set to PKCS1 or not set"; types.go: "Defaults to `cert-manager.io`".
  'Certificate.cert-manager.io': {
    'spec.duration': '2160h',
    'spec.issuerRef.group': 'cert-manager.io',
    'spec.privateKey.encoding': 'PKCS1',
  },
  // envoyproxy/gateway 1.7, tls_types.go: "Defaults to 1.2".
  'ClientTrafficPolicy.gateway.envoyproxy.io': { 'spec.tls.minVersion': '1.2' },
  // Flux 2.9: "Wait instructs the controller to check the health of all the reconciled resources."
  'Kustomization.kustomize.toolkit.fluxcd.io': { 'spec.wait': false },
  // prometheus-operator 0.90: "If empty, Prometheus uses the default value (e.g. `/metrics`)."
  'PodMonitor.monitoring.coreos.com': { 'spec.podMetricsEndpoints.*.path': '/metrics' },
  'ServiceMonitor.monitoring.coreos.com': { 'spec.endpoints.*.path': '/metrics' },
  // strimzi 0.47: "Default value is `.*`."
  'Kafka.kafka.strimzi.io': { 'spec.kafkaExporter.groupRegex': '.*', 'spec.kafkaExporter.topicRegex': '.*' },
}

const fixture = join(import.meta.dirname, '../fixtures/api-defaults.json')
export const ofCrds = JSON.parse(readFileSync(fixture, 'utf8')) as ApiDefaults

/** Everything that is filled in for a kind. */
export const defaultsOf = (kind: string): Record<string, Json> => ({
  ...ofCrds[kind]?.defaults,
  ...ofKubernetes[kind],
  ...documented[kind],
})
