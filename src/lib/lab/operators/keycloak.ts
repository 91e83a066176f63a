/**
 * Keycloak's operator 26.4: a Keycloak becomes a StatefulSet and its Services, a realm import a Job that runs once. No Keycloak runs.
 */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { type Condition, isTrue, nextConditions, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { createKeeper, type Operator, ownerReference, readSecret, startOperator } from './operator.ts'

const apiVersion = 'k8s.keycloak.org/v2alpha1'
const fieldManager = 'keycloak-operator'
const retryMs = 1_000

interface SecretKey {
  name: string
  key: string
}

interface KeycloakSpec {
  instances?: number
  image?: string
  resources?: object
  db?: { usernameSecret?: SecretKey; passwordSecret?: SecretKey }
  bootstrapAdmin?: { user?: { secret?: string } }
  unsupported?: { podTemplate?: PodTemplate }
}

interface PodTemplate {
  metadata?: { labels?: Record<string, string> }
  spec?: { containers?: { securityContext?: object }[]; [key: string]: unknown }
}

interface RealmImportSpec {
  keycloakCRName: string
  resources?: object
  placeholders?: Record<string, { secret: SecretKey }>
}

export function startKeycloak(lab: Lab, view: ClusterView): Operator {
  const keeper = createKeeper(view, fieldManager)
  const operator = startOperator(lab, view, {
    name: 'keycloak',
    pod: { 'app.kubernetes.io/name': 'keycloak-operator' },
    kinds: [
      { apiVersion, kind: 'Keycloak', reconcile },
      { apiVersion, kind: 'KeycloakRealmImport', reconcile: reconcileImport },
    ],
    onStart: keeper.forget,
  })
  const labelSelector = 'app.kubernetes.io/managed-by=keycloak-operator'
  const sets = operator.follow({ apiVersion: 'apps/v1', kind: 'StatefulSet', labelSelector })
  const jobs = operator.follow({ apiVersion: 'batch/v1', kind: 'Job', labelSelector })

  const named = (list: KubeObject[], namespace: string | undefined, name: string) =>
    list.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)

  async function reconcile(keycloak: KubeObject): Promise<number | undefined> {
    const { namespace = '', name } = keycloak.metadata
    const { instances = 1, db = {}, bootstrapAdmin } = (keycloak.spec ?? {}) as KeycloakSpec
    const wanted = [db.usernameSecret, db.passwordSecret].filter((one) => one !== undefined)
    const admin = bootstrapAdmin?.user?.secret
    const missing = await missingSecret(namespace, [...wanted, ...(admin ? [{ name: admin, key: 'username' }] : [])])
    if (missing) {
      await write(keycloak, [
        condition('Ready', 'False', 'Waiting for more replicas'),
        condition('HasErrors', 'True', `Secret ${missing} is missing`),
      ])
      return retryMs
    }
    for (const object of workloads(keycloak)) await keeper.keep(object)
    const set = named(sets.list, namespace, name)
    const up = Number(set?.status?.readyReplicas ?? 0)
    const complete = up >= instances
    await write(
      keycloak,
      [
        condition('Ready', complete ? 'True' : 'False', complete ? '' : 'Waiting for more replicas'),
        condition('HasErrors', 'False', ''),
        condition('RollingUpdate', 'False', ''),
      ],
      { instances: up, selector: `app=keycloak,app.kubernetes.io/instance=${name},${labelSelector}` },
    )
    return undefined
  }

  /** The operator waits for the instances, imports once, and never again. */
  async function reconcileImport(realm: KubeObject): Promise<number | undefined> {
    const { namespace = '', name } = realm.metadata
    const { keycloakCRName, placeholders = {} } = realm.spec as unknown as RealmImportSpec
    const keycloak = named(operator.objects('Keycloak'), namespace, keycloakCRName)
    const progress = (done: boolean, started: boolean, message: string, failed = '') =>
      write(realm, [
        condition('Done', done ? 'True' : 'False', message),
        condition('Started', started ? 'True' : 'False', message),
        condition('HasErrors', failed ? 'True' : 'False', failed),
      ])
    if (isTrue(realm, 'Done')) return undefined
    const missing = await missingSecret(
      namespace,
      Object.values(placeholders).map(({ secret }) => secret),
    )
    if (missing) {
      await progress(false, false, '', `Secret ${missing} is missing`)
      return retryMs
    }
    if (!keycloak || !isTrue(keycloak, 'Ready')) {
      await progress(false, false, 'Waiting for the Keycloak instances to be ready')
      return retryMs
    }
    await keeper.keep(importJob(realm, keycloak))
    const job = named(jobs.list, namespace, name)
    const done = isTrue(job ?? realm, 'Complete')
    await progress(done, !done, done ? '' : 'Realm import is running')
    return undefined
  }

  async function missingSecret(namespace: string, wanted: SecretKey[]): Promise<string | undefined> {
    for (const { name, key } of wanted) {
      const secret = await readSecret(view, namespace, name)
      if (!secret?.data?.[key]) return `${name} (${key})`
    }
    return undefined
  }

  async function write(object: KubeObject, conditions: Condition[], details: object = {}): Promise<void> {
    const own = nextConditions(object, conditions).map(({ reason: _, ...rest }) => rest)
    const observed = object.kind === 'Keycloak' ? { observedGeneration: object.metadata.generation } : {}
    const status = { ...details, ...observed, conditions: own }
    if (!statusHolds(object, status)) await view.writer().patchStatus(object, status)
  }

  return operator
}

const condition = (type: string, status: Condition['status'], message: string): Condition => ({
  type,
  status,
  reason: '',
  message,
})

/** `Utils.allInstanceLabels` of the operator. */
const instanceLabels = (name: string) => ({
  app: 'keycloak',
  'app.kubernetes.io/instance': name,
  'app.kubernetes.io/managed-by': 'keycloak-operator',
})

function podOf({ spec }: KubeObject, labels: Record<string, string>, resources: object | undefined) {
  const { image, unsupported } = (spec ?? {}) as KeycloakSpec
  const { metadata, spec: pod = {} } = unsupported?.podTemplate ?? {}
  const { containers = [], ...rest } = pod
  return {
    metadata: { labels: { ...metadata?.labels, ...labels } },
    spec: {
      ...rest,
      containers: [
        {
          ...containers[0],
          name: 'keycloak',
          image: image ?? 'quay.io/keycloak/keycloak:26.4.7',
          resources: resources ?? {},
          ports: [
            { name: 'http', containerPort: 8080 },
            { name: 'management', containerPort: 9000 },
          ],
        },
      ],
    },
  }
}

/** KeycloakDeploymentDependentResource, KeycloakServiceDependentResource, KeycloakDiscoveryServiceDependentResource. */
function workloads(keycloak: KubeObject): Manifest[] {
  const { namespace = '', name } = keycloak.metadata
  const { instances = 1, resources } = (keycloak.spec ?? {}) as KeycloakSpec
  const labels = instanceLabels(name)
  const metadata = (suffix: string) => ({
    name: `${name}${suffix}`,
    namespace,
    labels,
    ownerReferences: [ownerReference(keycloak as unknown as Manifest)],
  })
  const port = (portName: string, number: number) => ({
    name: portName,
    port: number,
    targetPort: number,
    protocol: 'TCP',
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata('-service'),
      spec: { selector: labels, ports: [port('http', 8080), port('management', 9000)] },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata('-discovery'),
      spec: {
        selector: labels,
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        ports: [port('tcp', 7800)],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata(''),
      spec: {
        replicas: instances,
        serviceName: `${name}-discovery`,
        selector: { matchLabels: labels },
        template: podOf(keycloak, { ...labels, 'app.kubernetes.io/component': 'server' }, resources),
      },
    },
  ]
}

/** KeycloakRealmImportJobDependentResource: the server's own pod, which the Service must not select. */
function importJob(realm: KubeObject, keycloak: KubeObject): Manifest {
  const { namespace = '', name } = realm.metadata
  const labels = { ...instanceLabels(keycloak.metadata.name), app: 'keycloak-realm-import' }
  const template = podOf(keycloak, labels, (realm.spec as unknown as RealmImportSpec).resources)
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace,
      labels: instanceLabels(name),
      ownerReferences: [ownerReference(realm as unknown as Manifest)],
    },
    spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
  }
}
