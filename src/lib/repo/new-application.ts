/** The files of a new application, from what was chosen for it. Pure: what there is already is the caller's business. */
import { layout } from './layout.ts'
import type { NewRelease } from './new-release.ts'
import { newRunbook } from './new-runbook.ts'
import { stringify } from './yaml.ts'

export interface NewApplication {
  name: string
  namespace: string
  cluster: string
  /** A Deployment of this image, with tag or digest, or the release of a chart. */
  runs: { image: string } | { release: NewRelease }
  /** That its Service listens on, and the container of an image; undefined for one that nobody calls. */
  port: number | undefined
  /** Its Service; the chart gives the name, an image's has the application's. */
  service: string
  /** Whether it is there and ready is asked here, over HTTP. */
  healthPath: string
  /** Memory limit, a quantity such as 512Mi; half of it is requested. */
  memory: string
  route: { host: string; gateway: string } | undefined
  /** Size of the volume at /data, a quantity. */
  volume: string | undefined
  database: boolean
  /** All fields of the 1Password item of its name come as environment. */
  secret: boolean
  /** It calls anybody on the Internet over HTTPS. */
  internet: boolean
}

/** What a piece of apps/components waits for (docs/patterns.md). */
const pieces = {
  alerts: ['prometheus-operator-crds'],
  cnpg: ['postgres', 'onepassword-store'],
  externalsecret: ['onepassword-store'],
  'gateway-route': ['cilium', 'envoy-gateway-config'],
  'gatus-check': [],
  'netpol/internet': ['cilium'],
  volsync: ['onepassword-store', 'openebs', 'rook-ceph-cluster', 'volsync'],
} satisfies Record<string, string[]>
type Piece = keyof typeof pieces

function piecesOf({ database, secret, route, internet, volume }: NewApplication): Piece[] {
  const wanted: [Piece, boolean][] = [
    ['alerts', true],
    ['cnpg', database],
    ['externalsecret', secret],
    ['gateway-route', route !== undefined],
    ['gatus-check', route !== undefined],
    ['netpol/internet', internet],
    ['volsync', volume !== undefined],
  ]
  return wanted.flatMap(([piece, is]) => (is ? [piece] : []))
}

/** @returns texts by path below the repository's root; the cluster's list and the table of runbooks are not among them */
export function newApplicationFiles(choice: NewApplication): Map<string, string> {
  const { name, namespace, cluster } = choice
  const base = `${layout.appBases}/${name}`
  const overlay = `${layout.clusterApps(cluster)}/${namespace}/${name}`
  const own = ownManifests(choice)
  return new Map([
    [`${base}/kustomization.yaml`, kustomization([...own.keys()])],
    ...[...own].map(([file, text]) => [`${base}/${file}`, text] as const),
    [`${overlay}/kustomization.yaml`, kustomization(['ks.yaml'])],
    [`${overlay}/ks.yaml`, manifest(`${crdSchemas}/kustomize.toolkit.fluxcd.io/kustomization_v1.json`, ks(choice))],
    [`${overlay}/app/kustomization.yaml`, kustomization([`../../../../../../apps/base/${name}`])],
    [`${layout.runbooks}/${name}.md`, newRunbook(choice)],
  ])
}

/** What is in its base, by file name. */
function ownManifests(choice: NewApplication): Map<string, string> {
  const { runs, port } = choice
  if ('release' in runs)
    return new Map([
      [
        'helmrelease.yaml',
        `${fluxManifest('helmrelease_v2', helmRelease(choice, runs.release))}${alsoTaken(runs.release)}`,
      ],
      ['ocirepository.yaml', fluxManifest('ocirepository_v1', ociRepository(choice, runs.release))],
    ])
  return new Map([
    ['deployment.yaml', kubernetesManifest('deployment-apps-v1', deployment(choice, runs.image))],
    ...(port === undefined ? [] : [['service.yaml', kubernetesManifest('service-v1', service(choice))] as const]),
  ])
}

const crdSchemas = 'https://k8s-schemas.home-operations.com'
const manifest = (schema: string, value: object) =>
  `# yaml-language-server: $schema=${schema}\n${stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })}`
const kubernetesManifest = (schema: string, value: object) =>
  manifest(
    `https://raw.githubusercontent.com/yannh/kubernetes-json-schema/master/v1.35.4-standalone/${schema}.json`,
    value,
  )
/** @param name as the schemas' file is called, `helmrelease_v2`; the group follows from it */
const fluxManifest = (name: 'helmrelease_v2' | 'ocirepository_v1', value: object) =>
  manifest(`${crdSchemas}/${name === 'helmrelease_v2' ? 'helm' : 'source'}.toolkit.fluxcd.io/${name}.json`, value)
const kustomization = (resources: string[]) =>
  manifest('https://json.schemastore.org/kustomization', {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources,
  })

const helmRelease = ({ name, namespace }: NewApplication, { values }: NewRelease): object => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name, namespace },
  spec: { chartRef: { kind: 'OCIRepository', name }, interval: '15m', values },
})

const ociRepository = ({ name, namespace }: NewApplication, { url, version }: NewRelease): object => ({
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'OCIRepository',
  metadata: { name, namespace },
  spec: {
    interval: '1h',
    layerSelector: { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', operation: 'copy' },
    ref: { tag: version },
    url,
  },
})

/** Below the values, which stand last: what else there is to set, and who tells what it means. */
function alsoTaken({ url, version, others }: NewRelease): string {
  const asked = `helm show values ${url} --version ${version}`
  if (others === undefined) return `    # The chart could not be had when this was written. What it takes: ${asked}\n`
  const lines = others.join(', ').replaceAll(/(.{1,97}$|.{1,96},) ?/g, '    #   $1\n')
  return lines === '' ? '' : `    # The chart also takes (${asked}):\n${lines}`
}

function deployment(choice: NewApplication, image: string): object {
  const { name, namespace, volume, database } = choice
  const labels = { 'app.kubernetes.io/name': name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, annotations: { 'reloader.stakater.com/auto': 'true' }, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      // A volume is on one node at a time.
      ...(volume === undefined ? {} : { strategy: { type: 'Recreate' } }),
      template: {
        metadata: { labels: { ...labels, ...(database ? { 'k8sops.dev/postgres': 'client' } : {}) } },
        spec: {
          automountServiceAccountToken: false,
          securityContext: {
            ...(volume === undefined ? {} : { fsGroup: 1000, fsGroupChangePolicy: 'OnRootMismatch' }),
            runAsGroup: 1000,
            runAsNonRoot: true,
            runAsUser: 1000,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [container(choice, image)],
          volumes: [
            ...(volume === undefined ? [] : [{ name: 'data', persistentVolumeClaim: { claimName: name } }]),
            { name: 'tmp', emptyDir: {} },
          ],
        },
      },
    },
  }
}

function container(
  { name, port, healthPath, memory, volume, database, secret }: NewApplication,
  image: string,
): object {
  const probe = { httpGet: { path: healthPath, port: 'http' } }
  const uri = { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: `${name}-postgres`, key: 'uri' } } }
  return {
    name,
    image,
    ...(database ? { env: [uri] } : {}),
    ...(secret ? { envFrom: [{ secretRef: { name } }] } : {}),
    ...(port === undefined
      ? {}
      : {
          ports: [{ name: 'http', containerPort: port }],
          startupProbe: { failureThreshold: 30, periodSeconds: 5, ...probe },
          livenessProbe: probe,
          readinessProbe: probe,
        }),
    resources: { requests: { cpu: '50m', memory: half(memory) }, limits: { memory } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [
      ...(volume === undefined ? [] : [{ name: 'data', mountPath: '/data' }]),
      { name: 'tmp', mountPath: '/tmp' },
    ],
  }
}

/** `1Gi` -> `512Mi`: half of what is odd needs the smaller unit. */
export function half(quantity: string): string {
  const [, number = '', unit = ''] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? []
  return unit === 'Gi' ? `${Number(number) * 512}Mi` : `${Math.ceil(Number(number) / 2)}Mi`
}

const service = ({ name, service: serviceName, namespace, port }: NewApplication): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: serviceName, namespace, labels: { 'app.kubernetes.io/name': name } },
  spec: {
    ports: [{ name: 'http', port, targetPort: 'http' }],
    selector: { 'app.kubernetes.io/name': name },
  },
})

/** Kinds without a Ready condition say by themselves when they are current. */
const accepted = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  current:
    "has(status.parents) && size(status.parents) > 0 && status.parents.all(p, p.conditions.exists(c, c.type == 'Accepted' && c.status == 'True'))",
}
const applied = {
  apiVersion: 'postgresql.cnpg.io/v1',
  kind: 'Database',
  current: 'has(status.applied) && status.applied == true',
}

function ks(choice: NewApplication): object {
  const { name, namespace, cluster, port, service, healthPath, route, volume, database } = choice
  const taken = piecesOf(choice)
  const dependsOn = [...new Set(taken.flatMap((piece): string[] => pieces[piece]))].sort()
  const expressions = [...(route ? [accepted] : []), ...(database ? [applied] : [])]
  const substitute = {
    APP: name,
    ...(route ? { GATEWAY: route.gateway, GATUS_PATH: healthPath, HOST: route.host } : {}),
    NAMESPACE: namespace,
    ...(route ? { PORT: String(port), SERVICE: service } : {}),
    ...(volume === undefined ? {} : { VOLSYNC_CAPACITY: volume }),
  }
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'flux-system' },
    spec: {
      components: taken.map((piece) => `../../../../../../apps/components/${piece}`),
      dependsOn: dependsOn.map((one) => ({ name: one })),
      ...(expressions.length > 0 ? { healthCheckExprs: expressions } : {}),
      interval: '5m',
      path: `./${layout.clusterApps(cluster)}/${namespace}/${name}/app`,
      postBuild: { substitute },
      prune: true,
      sourceRef: { kind: 'GitRepository', name: 'flux-system' },
      wait: true,
    },
  }
}
