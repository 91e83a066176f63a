import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { talconfigRoot, talconfigShape } from '../../src/lib/config/rules/talconfig-shape.ts'
import { runTool } from './tool.ts'

const scratch = mkdtempSync(join(tmpdir(), 'k8sops-schema-'))
afterAll(() => rmSync(scratch, { recursive: true }))

interface Schema {
  $ref?: string
  items?: Schema
  properties?: Record<string, Schema>
}

test('the known keys of talconfig.yaml are those of the pinned talhelper', () => {
  const file = join(scratch, 'schema.json')
  runTool('talhelper', ['genschema', '-f', file], { env: { HOME: scratch, PATH: '' } })
  const schema = JSON.parse(readFileSync(file, 'utf8')) as Schema & { $defs: Record<string, Schema> }

  /** The type below a property, through lists; '' for a leaf or an open map. */
  const below = (property: Schema): string => {
    const type = (property.$ref ?? property.items?.$ref)?.split('/').at(-1) ?? ''
    const items = schema.$defs[type]?.items
    return items ? below(items) : type
  }
  const expected = new Map<string, Map<string, string>>()
  const visit = (type: string) => {
    if (type === '' || expected.has(type)) return
    const keys = Object.entries(schema.$defs[type]?.properties ?? {}).map(([key, property]): [string, string] => [
      key,
      below(property),
    ])
    expected.set(type, new Map(keys))
    for (const [, next] of keys) visit(next)
  }
  visit(schema.$ref?.split('/').at(-1) ?? '')

  expect(talconfigRoot).toBe(schema.$ref?.split('/').at(-1))
  expect(talconfigShape).toEqual(expected)
})
