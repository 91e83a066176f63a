/** Objects are what their API takes: the API server would refuse them, or drop what it does not know without a word. */
import { checkSchema, schemaFor } from '../schema-tables.ts'
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
        cluster.objects.flatMap((one) => {
          const schema = schemaFor(schemas, one)
          const problems = schema ? checkSchema(schema.table, schema.root, one.object()) : []
          if (!version.test(String(one.object().apiVersion)))
            problems.push({ path: ['apiVersion'], message: `${one.object().apiVersion} is no version of an API` })
          return problems.map(({ path, message }) => ({ ...about(one, message, path), cluster: cluster.name }))
        }),
      ),
  },
]

const version = /^([a-z0-9.-]+\/)?v\d+((alpha|beta)\d+)?$/

/** What no schema is known for: it is listed, never counted as valid. */
export function withoutSchema({ clusters, schemas }: RepositoryView): string[] {
  const kinds = clusters.flatMap(({ objects }) =>
    objects.filter((one) => !schemaFor(schemas, one)).map(({ apiVersion, kind }) => `${kind} ${apiVersion}`),
  )
  return [...new Set(kinds)].sort()
}
