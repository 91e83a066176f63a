/** Objects are what their API takes: the API server would refuse them, or drop what it does not know without a word. */
import { posix } from 'node:path'
import { dig, isFields, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { checkSchema, type SchemaTables, schemaFor } from '../schema-tables.ts'
import { isYaml, type SourceFile } from '../source-files.ts'
import { about, each, type Rule } from './rule.ts'
import { ofKind, type RenderedObject, type RepositoryView } from './view.ts'

export const schemaRules: Rule[] = [
  {
    id: 'schema-valid',
    demands: 'Every object has the fields, types and words of its API, of the Kubernetes that runs and of the CRDs',
    why: 'The API server refuses it, and its whole Kustomization with it; or it drops a field that it does not know',
    fix: 'kubectl explain KIND.PATH says what there is',
    source: 'NFR16, issue 5',
    scope: 'any',
    looksAt: 'itself',
    check: ({ clusters, schemas }) =>
      clusters.flatMap((cluster) =>
        [...cluster.objects, ...cluster.recorded].flatMap((one) => {
          const schema = schemaFor(schemas, one)
          const problems = schema ? checkSchema(schema.table, schema.root, one.object()) : []
          if (!version.test(String(one.object().apiVersion)))
            problems.push({ path: ['apiVersion'], message: `${one.object().apiVersion} is no version of an API` })
          return problems.map(({ path, message }) => ({ ...about(one, message, path), cluster: cluster.name }))
        }),
      ),
  },
  {
    id: 'object-name-wellformed',
    demands: 'Objects are called as the API server allows: small letters, digits, - and ., of roles also :',
    why: 'The API server refuses it, and its whole Kustomization with it',
    fix: 'metadata.name: some-name',
    source: 'Kubernetes 1.35, object names',
    scope: 'any',
    looksAt: 'itself',
    check: each(({ objects }) =>
      objects
        .filter(({ name, group }) => !(group === 'rbac.authorization.k8s.io' ? roleName : objectName).test(name))
        .map((one) => about(one, `${one.name} can't be a name`, ['metadata', 'name'])),
    ),
  },
  {
    id: 'crd-structural',
    demands: 'A CRD in Git is called as its resource, and its schema says of each field what it is',
    why: 'The API server takes only structural schemas: without the CRD its whole Kustomization fails, and every resource of its kind',
    fix: 'Copy the CRD from its project again',
    source: 'Kubernetes',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CustomResourceDefinition')
        .filter(({ release }) => !release)
        .flatMap((one) => [
          ...misnamed(one),
          ...listAt(one.object(), 'spec.versions').flatMap((version, index) =>
            unstructured(dig(version, 'schema.openAPIV3Schema'), [
              'spec',
              'versions',
              index,
              'schema',
              'openAPIV3Schema',
            ]).map((path) => about(one, `${path.slice(4).join('.')} says no type, or another than its fields`, path)),
          ),
        ]),
    ),
  },
  {
    id: 'component-schema-valid',
    demands:
      'Manifests of opt-in components have the fields, types and words of their API, before an application uses them',
    why: 'Whoever includes one gets the mistake',
    fix: 'kubectl explain KIND.PATH says what there is',
    source: 'NFR16',
    scope: 'house',
    check: ({ judged, clusters, schemas }) => {
      const used = new Set(clusters.flatMap(({ objects }) => objects.map(({ manifest }) => manifest.file)))
      const components = judged.filter((file) => /^kubernetes\/apps\/components\//.test(file.path) && isYaml(file))
      const patches = new Set(components.flatMap(patchesIn))
      return components
        .filter(({ path }) => !used.has(path))
        .flatMap((file) =>
          file.documents().flatMap((document) => unused(schemas, file.path, document, patches.has(file.path))),
        )
    },
  },
]

const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const roleName = /^[^/%]+$/

/** `<plural>.<group>`, and one of them is called as the kind. */
function misnamed(one: RenderedObject): Finding[] {
  const [plural, singular, kind] = ['plural', 'singular', 'kind'].map((key) =>
    textAt(one.object(), `spec.names.${key}`),
  )
  const group = textAt(one.object(), 'spec.group')
  return [
    ...(plural === undefined || one.name === `${plural}.${group}`
      ? []
      : [about(one, `is called neither ${plural} nor of ${group}`, ['spec', 'names', 'plural'])]),
    ...(singular === undefined || singular === kind?.toLowerCase()
      ? []
      : [about(one, `one ${kind} is called ${singular}`, ['spec', 'names', 'singular'])]),
  ]
}

/** Where a schema leaves open what stands there, or says two things; below allOf, anyOf, oneOf and not there are no types. */
function unstructured(schema: unknown, path: (string | number)[]): (string | number)[][] {
  if (!isFields(schema)) return [path]
  const isOpen =
    schema['x-kubernetes-preserve-unknown-fields'] === true || schema['x-kubernetes-int-or-string'] === true
  const inner = [
    ...Object.entries(mapAt(schema, 'properties')).map(([key, below]) => ({ below, at: [...path, 'properties', key] })),
    ...(schema.items === undefined ? [] : [{ below: schema.items, at: [...path, 'items'] }]),
    ...(isFields(schema.additionalProperties)
      ? [{ below: schema.additionalProperties, at: [...path, 'additionalProperties'] }]
      : []),
  ]
  const isWrong =
    (schema.type === undefined && !isOpen) ||
    (schema.type !== 'object' && (schema.properties !== undefined || schema.additionalProperties !== undefined)) ||
    (schema.type === 'array') !== (schema.items !== undefined)
  return [...(isWrong ? [path] : []), ...inner.flatMap(({ below, at }) => unstructured(below, at))]
}

/** Files that a kustomization.yaml has as patches. */
function patchesIn(file: SourceFile): string[] {
  const paths = file
    .documents()
    .flatMap((document) => listAt(document, 'patches').map((patch) => textAt(patch, 'path')))
  return paths.flatMap((path) => (path === undefined ? [] : [posix.join(posix.dirname(file.path), path)]))
}

/** Of a manifest with its variables: what stands where one is left open is whatever it will be. */
function unused(schemas: SchemaTables, file: string, document: unknown, isPatch: boolean): Finding[] {
  const apiVersion = textAt(document, 'apiVersion') ?? ''
  const kind = textAt(document, 'kind') ?? ''
  const object = { kind, name: textAt(document, 'metadata.name') ?? '' }
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  const schema = schemaFor(schemas, { group, apiVersion, kind })
  const isOpen = (path: (string | number)[]) => String(dig(document, path)).includes('${')
  const problems = schema ? checkSchema(schema.table, schema.root, document) : []
  return problems
    .filter(({ path, lacks }) => !isOpen(path) && !(lacks && isPatch))
    .map(({ path, message }) => ({ file, object, path, message: `${kind}: ${message}` }))
}

const version = /^([a-z0-9.-]+\/)?v\d+((alpha|beta)\d+)?$/

/** What no schema is known for: it is listed, never counted as valid. */
export function withoutSchema({ clusters, schemas }: RepositoryView): string[] {
  const kinds = clusters.flatMap(({ objects }) =>
    objects.filter((one) => !schemaFor(schemas, one)).map(({ apiVersion, kind }) => `${kind} ${apiVersion}`),
  )
  return [...new Set(kinds)].sort()
}
