/** The example that developers copy is one that the cluster takes: fields by its schemas, restricted pods, labels of the platform. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkSchema, readSchemaTables, schemaFor } from '../../src/lib/repo/schema-tables.ts'
import type { KubeObject } from '../../src/lib/types.ts'

const root = join(import.meta.dirname, '../..')
const directory = join(root, 'docs/examples/spring-boot')
const read = (file: string) => parse(readFileSync(join(root, file), 'utf8')) as KubeObject
const files = readdirSync(directory).filter((name) => name !== 'kustomization.yaml')
const objects = files.map((name) => ({ name, object: read(`docs/examples/spring-boot/${name}`) }))
const ofKind = (kind: string) => objects.find(({ object }) => object.kind === kind)?.object

test('kustomization.yaml lists every file', () => {
  const { resources } = read('docs/examples/spring-boot/kustomization.yaml') as unknown as { resources: string[] }
  expect(resources.toSorted()).toEqual(files.toSorted())
})

const rotation = readdirSync(join(root, 'docs/examples/rotation-test')).filter((name) => name !== 'kustomization.yaml')
const others = rotation.map((name) => ({
  name: `rotation-test/${name}`,
  object: read(`docs/examples/rotation-test/${name}`),
}))

test.each([...objects, ...others])('$name has the fields of its schema', async ({ object }) => {
  const tables = await readSchemaTables(root)
  const { apiVersion, kind } = object
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
  const schema = schemaFor(tables, { group, apiVersion, kind })
  expect(schema).toBeDefined()
  if (schema) expect(checkSchema(schema.table, schema.root, object)).toEqual([])
})

describe('what the platform asks of it', () => {
  test('topic and user belong to the Kafka that there is, in the namespace that it watches', () => {
    const kafka = read('kubernetes/infrastructure/configs/arsipq-platform/arsipq-kafka/app/kafka.yaml')
    const { entityOperator } = kafka.spec as { entityOperator: Record<string, { watchedNamespace?: string }> }
    for (const kind of ['KafkaTopic', 'KafkaUser']) {
      const { labels, namespace } = ofKind(kind)?.metadata ?? {}
      expect(labels?.['strimzi.io/cluster']).toBe(kafka.metadata.name)
      expect(namespace).toBe(entityOperator[kind === 'KafkaTopic' ? 'topicOperator' : 'userOperator']?.watchedNamespace)
    }
  })

  test('the developers’ ServiceAccount may apply every kind of it', () => {
    const role = read('kubernetes/infrastructure/configs/arsipq-dev/arsipq-backend/app/role.yaml') as unknown as {
      rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[]
    }
    for (const { object } of objects) {
      const group = object.apiVersion.includes('/') ? (object.apiVersion.split('/')[0] ?? '') : ''
      const plural = `${object.kind.toLowerCase()}s`
      const rule = role.rules.find(
        ({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(plural),
      )
      expect([plural, rule?.verbs.includes('patch')]).toEqual([plural, true])
    }
  })

  test('and may neither read Secrets nor change who may what', () => {
    const role = read('kubernetes/infrastructure/configs/arsipq-dev/arsipq-backend/app/role.yaml') as unknown as {
      rules: { resources: string[] }[]
    }
    const all = role.rules.flatMap(({ resources }) => resources)
    for (const forbidden of ['secrets', 'externalsecrets', 'roles', 'rolebindings', 'ciliumnetworkpolicies', '*'])
      expect(all).not.toContain(forbidden)
  })
})
