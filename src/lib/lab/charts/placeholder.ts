/**
 * Builds the placeholder of a chart from its record: workloads with the requests and limits of the release's values,
 * services, the chart's CRDs, and a values.schema.json that makes Helm itself refuse a value key the real chart lacks.
 */
import type { Json } from '../../types.ts'
import { packTgz } from './archive.ts'
import type { ChartRecord, Container, KeyTree, Service, Workload } from './record.ts'
import { keyTree } from './record.ts'

type JsonObject = { [key: string]: Json }

/**
 * The files of the placeholder, by path inside the archive, in the order of the archive.
 * @param crds the manifests of the record's CRDs by name; a name without one is left out
 */
export function placeholderFiles(record: ChartRecord, crds: Map<string, JsonObject>): Map<string, string> {
  const files = new Map<string, string>()
  const add = (path: string, content: string) => files.set(`${record.name}/${path}`, content)
  add('Chart.yaml', json(chartMetadata(record)))
  add('values.yaml', json(record.defaults ?? {}))
  add('values.schema.json', json({ $schema: 'http://json-schema.org/draft-07/schema#', ...valuesSchema(record) }))
  for (const [index, { placement, when, keep, names }] of (record.crds ?? []).entries()) {
    for (const name of names) {
      const crd = crds.get(name)
      if (!crd) continue
      const text = json(keep ? kept(crd) : crd)
      if (placement === 'crds') add(`crds/${name}.yaml`, text)
      // A CRD's text may hold braces, which the template engine must not see.
      else add(`templates/crds-${index}/${name}.yaml`, conditional(when, text.replaceAll('{{', '{{`{{`}}')))
    }
  }
  add('templates/_names.tpl', nameTemplates)
  const template = (path: string, object: JsonObject, when?: string[], each?: string) =>
    add(`templates/${path}.yaml`, conditional(when, repeated(each, expandTokens(json(object)))))
  for (const [index, { name, when }] of (record.serviceAccounts ?? []).entries()) {
    template(`serviceaccount-${index}`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(name) }, when)
  }
  for (const [index, workload] of record.workloads.entries()) {
    template(`${workload.kind.toLowerCase()}-${index}`, workloadObject(workload), workload.when)
  }
  for (const [index, service] of (record.services ?? []).entries()) {
    template(`service-${index}`, serviceObject(service), service.when)
  }
  for (const [index, { when, each, ...object }] of (record.objects ?? []).entries()) {
    template(`object-${index}`, object as JsonObject, when, each)
  }
  return files
}

/** What `placeholderFiles` makes, as the archive that a registry serves. The same record gives the same bytes. */
export function placeholderArchive(record: ChartRecord, crds: Map<string, JsonObject>): Buffer {
  return packTgz(placeholderFiles(record, crds))
}

/** Chart.yaml of a placeholder; Helm also keeps it as the config blob of a chart in a registry. */
export function chartMetadata(record: ChartRecord): JsonObject {
  return {
    apiVersion: 'v2',
    type: 'application',
    name: record.name,
    version: record.version,
    appVersion: record.appVersion,
    description: `Placeholder of ${record.name} ${record.version} for the lab`,
    annotations: { 'lab.k8sops.dev/placeholder': 'true' },
  }
}

/** A JSON schema under which every key that the record doesn't list is an error. */
export function valuesSchema(record: ChartRecord): JsonObject {
  const schema = schemaOf(keyTree(record.values))
  const properties = schema.properties as JsonObject
  properties.global ??= {}
  return schema
}

/** Any type but `object`. */
const leaf: JsonObject = { type: ['array', 'boolean', 'null', 'number', 'string'] }

function schemaOf(node: KeyTree): JsonObject {
  if (node.open) return {}
  if (node.children.size === 0) return leaf
  const properties = Object.fromEntries([...node.children].map(([key, child]) => [key, schemaOf(child)]))
  return { type: ['object', 'null'], properties, additionalProperties: false }
}

function workloadObject(workload: Workload): JsonObject {
  const { kind, name, labels } = workload
  const replicas = workload.replicasValue ? `{object:${workload.replicasValue}}` : (workload.replicas ?? 1)
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { ...meta(name), labels },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(workload) },
    },
  }
}

function podSpec(workload: Workload): JsonObject {
  const { serviceAccount, hostNetwork, hostPaths = [], restricted, labels, tolerations } = workload
  const tolerated = workload.tolerationsValue ? `{object:${workload.tolerationsValue}}` : (tolerations ?? [])
  const priority = workload.priorityClassNameValue
    ? `{value:${workload.priorityClassNameValue}}`
    : (workload.priorityClassName ?? '')
  const spread = { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' }
  return {
    serviceAccountName: serviceAccount ?? '',
    hostNetwork: hostNetwork ?? false,
    priorityClassName: priority,
    ...(restricted ? { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } } : {}),
    tolerations: tolerated,
    ...(workload.spreadOverNodes
      ? { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [spread] } } }
      : {}),
    containers: workload.containers.map((container) => podContainer(container, workload)),
    volumes: hostPaths.map((path, index) => ({ name: `host-${index}`, hostPath: { path } })),
  }
}

function podContainer(container: Container, { restricted, hostPaths = [] }: Workload): JsonObject {
  const { name, image, resourcesValue, ports = [], capabilities } = container
  const add = capabilities ? { add: capabilities } : {}
  return {
    name,
    image,
    ...(resourcesValue ? { resources: `{object:${resourcesValue}}` } : {}),
    ports: ports.map(({ name, port, protocol, hostPort, hostPortValue }) => ({
      name,
      containerPort: port,
      protocol: protocol ?? 'TCP',
      ...(hostPortValue ? { hostPort: `{object:${hostPortValue}}` } : hostPort ? { hostPort } : {}),
    })),
    securityContext: {
      ...(restricted ? { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true } : {}),
      capabilities: { ...add, drop: ['ALL'] },
    },
    volumeMounts: hostPaths.map((mountPath, index) => ({ name: `host-${index}`, mountPath })),
  }
}

/** Helm deletes no object with this annotation. */
function kept(crd: JsonObject): JsonObject {
  const metadata = crd.metadata as { annotations?: JsonObject }
  return {
    ...crd,
    metadata: { ...metadata, annotations: { ...metadata.annotations, 'helm.sh/resource-policy': 'keep' } },
  }
}

function serviceObject(service: Service): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta(service.name),
    spec: {
      selector: service.selector,
      ...(service.headless ? { clusterIP: 'None' } : {}),
      ...(service.clusterIpValue ? { clusterIP: `{value:${service.clusterIpValue}}` } : {}),
      ports: service.ports.map(({ name, port, targetPort, protocol }) => ({
        name,
        port,
        targetPort,
        protocol: protocol ?? 'TCP',
      })),
    },
  }
}

const meta = (name: string): JsonObject => ({ name, namespace: '{namespace}' })

/** Keys stay in the order they were written, so that the archive's bytes do too. JSON is YAML, for Helm as well. */
const json = (value: Json): string => `${JSON.stringify(value, null, 1)}\n`

// Back-quoted strings, because the expressions stand inside JSON strings.
const valueExpression = (path: string) =>
  path.startsWith('each:') ? indexed('$element', path.slice('each:'.length)) : indexed('$.Values', path)

const indexed = (map: string, path: string) =>
  `(index ${map} ${path
    .split('.')
    .map((key) => `\`${key}\``)
    .join(' ')})`

function expandTokens(text: string): string {
  return text
    .replace(/"\{object:([^}"]+)\}"/g, (_, path: string) => `{{ ${valueExpression(path)} | toJson }}`)
    .replace(/\{if:([^}"]+)\}/g, (_, path: string) => `{{ if ${valueExpression(path)} }}{fullname}{{ end }}`)
    .replace(/\{(each:[^}"]+)\}/g, (_, path: string) => `{{ ${valueExpression(path)} }}`)
    .replace(/\{(fullname|release|namespace)\}/g, (_, name: string) => `{{ ${nameExpressions[name]} }}`)
    .replace(/\{value:([^}:"]+)(?::-([^}"]*))?\}/g, (_, path: string, other?: string) => {
      const value = valueExpression(path)
      if (other === undefined) return `{{ ${value} }}`
      return `{{ default ${nameExpressions[other] ? `(${nameExpressions[other]})` : `\`${other}\``} ${value} }}`
    })
}

const nameExpressions: Record<string, string> = {
  fullname: 'include `placeholder.fullname` $',
  release: '$.Release.Name',
  namespace: '$.Release.Namespace',
}

/** Once for each element of a list of the values. */
function repeated(list: string | undefined, text: string): string {
  return list === undefined ? text : `{{- range $element := ${valueExpression(list)} }}\n---\n${text}{{- end }}\n`
}

function conditional(when: string[] | undefined, text: string): string {
  if (!when || when.length === 0) return text
  return `{{- if and ${when.map(term).join(' ')} }}\n${text}{{- end }}\n`
}

function term(condition: string): string {
  const [, path = '', operator, text] = /^!?([^!=]+)(?:(!?=)(.*))?$/.exec(condition) ?? []
  const value = valueExpression(path)
  if (operator) return `(${operator === '=' ? 'eq' : 'ne'} (toString ${value}) \`${text}\`)`
  return condition.startsWith('!') ? `(not ${value})` : value
}

/** The rule that \`helm create\` gives every chart. */
const nameTemplates = `{{- define "placeholder.fullname" -}}
{{- $name := default .Chart.Name (index .Values "nameOverride") -}}
{{- if index .Values "fullnameOverride" -}}
{{- index .Values "fullnameOverride" | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
`
