/** Objects are what their API takes: the API server would refuse them, or drop what it does not know without a word. */
import { dig, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { checkSchema, type SchemaTables, schemaFor } from '../schema-tables.ts'
import { isYaml } from '../source-files.ts'
import { about, type Rule } from './rule.ts'
import type { RepositoryView } from './view.ts'

export const schemaRules: Rule[] = [
  {
    id: 'schema-valid',
    demands: 'Every object has the fields, types and words of its API, of the Kubernetes that runs and of the CRDs',
    why: 'The API server refuses it, and its whole Kustomization with it; or it drops a field that it does not know',
    fix: 'kubectl explain KIND.PATH says what there is',
    source: 'NFR16, issue 5',
    scope: 'any',
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
    id: 'component-schema-valid',
    demands:
      'Manifests of opt-in components have the fields, types and words of their API, before an application uses them',
    why: 'Whoever includes one gets the mistake',
    fix: 'kubectl explain KIND.PATH says what there is',
    source: 'NFR16',
    scope: 'house',
    check: ({ files, clusters, schemas }) => {
      const used = new Set(clusters.flatMap(({ objects }) => objects.map(({ manifest }) => manifest.file)))
      return files
        .filter((file) => /^kubernetes\/apps\/components\//.test(file.path) && isYaml(file) && !used.has(file.path))
        .flatMap((file) => file.documents().flatMap((document) => unused(schemas, file.path, document)))
    },
  },
]

/** Of a manifest with its variables: what stands where one is left open is whatever it will be. */
function unused(schemas: SchemaTables, file: string, document: unknown): Finding[] {
  const apiVersion = textAt(document, 'apiVersion') ?? ''
  const kind = textAt(document, 'kind') ?? ''
  const object = { kind, name: textAt(document, 'metadata.name') ?? '' }
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  const schema = schemaFor(schemas, { group, apiVersion, kind })
  const isOpen = (path: (string | number)[]) => String(dig(document, path)).includes('${')
  const problems = schema ? checkSchema(schema.table, schema.root, document) : []
  return problems
    .filter(({ path }) => !isOpen(path))
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
