/**
 * terraform/authentik, as far as it can be held against facts where no registry of providers can be reached: HCL's own parser reads it
 * (hcl2json), and every block has the fields of the pinned provider's documentation (test/fixtures/terraform). `tofu validate` and `tofu plan`
 * need the provider itself, and a plan needs Authentik.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { projectRoot, toolPath } from './tool.ts'

type Block = Record<string, unknown>
interface Configuration {
  terraform: { required_providers: Record<string, { source: string; version: string }>[] }[]
  variable: Record<string, Block[]>
  resource: Record<string, Record<string, Block[]>>
  data: Record<string, Record<string, Block[]>>
  locals: {
    clients?: Record<string, { url: string; redirects: string[]; groups: string[] }>
    secrets?: Record<string, string>
    groups?: string
  }[]
}
type Fields = { required: string[]; optional: string[] }

const directory = join(projectRoot, 'terraform/authentik')
const files = globSync('*.tf', { cwd: directory }).sort()
const read = (file: string) => readFileSync(join(directory, file), 'utf8')
/** Of Terraform itself, not of a provider. */
const metaArguments = ['count', 'depends_on', 'for_each', 'lifecycle', 'provider']

describe('terraform/authentik', () => {
  let parsed: Configuration
  beforeAll(() => {
    parsed = JSON.parse(execFileSync(toolPath('hcl2json'), files, { cwd: directory, encoding: 'utf8' }))
  })
  const locals = <Name extends 'clients' | 'groups' | 'secrets'>(name: Name) =>
    parsed.locals.find((block) => name in block)?.[name]
  const clients = () => Object.entries(locals('clients') ?? {})

  test('a broken file is refused by the parser', () => {
    const { status, stderr } = spawnSync(toolPath('hcl2json'), ['-'], { input: 'resource "a" {', encoding: 'utf8' })
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/unclosed|Invalid|Missing/i)
  })

  test('every block has fields that the pinned provider knows, and those that it demands', () => {
    const [providers] = parsed.terraform.flatMap(({ required_providers }) => required_providers)
    const version = providers?.authentik?.version ?? ''
    const table = JSON.parse(
      readFileSync(join(projectRoot, `test/fixtures/terraform/authentik-${version}.json`), 'utf8'),
    ) as Record<'resource' | 'data', Record<string, Fields>>
    const problems: string[] = []
    let blocks = 0
    for (const kind of ['resource', 'data'] as const) {
      for (const [type, named] of Object.entries(parsed[kind])) {
        const fields = table[kind][type]
        if (!fields) problems.push(`${kind} ${type} is not in the table`)
        for (const [name, [block = {}]] of Object.entries(named)) {
          blocks += 1
          const given = Object.keys(block).filter((key) => !metaArguments.includes(key))
          const known = [...(fields?.required ?? []), ...(fields?.optional ?? [])]
          problems.push(...given.filter((key) => !known.includes(key)).map((key) => `${type}.${name}: no field ${key}`))
          const lacks = (fields?.required ?? []).filter((key) => !given.includes(key))
          problems.push(...lacks.map((key) => `${type}.${name} lacks ${key}`))
        }
      }
    }
    expect(problems).toEqual([])
    expect(blocks).toBeGreaterThan(8)
  })

  test('what is referred to is there, and every variable has its line in op.env', () => {
    const text = files.map(read).join('\n')
    const used = (pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, found = '']) => found))].sort()
    const variables = Object.keys(parsed.variable).sort()
    expect(used(/\bvar\.(\w+)/g)).toEqual(variables)
    const environment = [...read('op.env').matchAll(/^TF_VAR_(\w+)=op:\/\/\S+$/gm)].map(([, name]) => name)
    expect(environment.sort()).toEqual(variables)
    const declared = parsed.locals.flatMap((block) => Object.keys(block))
    expect(used(/\blocal\.(\w+)/g).filter((name) => !declared.includes(name))).toEqual([])
    const resources = Object.entries(parsed.resource).flatMap(([type, named]) =>
      Object.keys(named).map((name) => `${type}.${name}`),
    )
    const sources = Object.entries(parsed.data).flatMap(([type, named]) =>
      Object.keys(named).map((name) => `${type}.${name}`),
    )
    expect(used(/\bdata\.(authentik_\w+\.\w+)/g)).toEqual(sources.sort())
    const referred = used(/(?<!data\.)\b(authentik_\w+\.\w+)/g)
    expect(referred.filter((one) => !resources.includes(one))).toEqual([])
  })

  test('only references stand in op.env', () => {
    const values = read('op.env')
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => line.replace(/^\w+=/, ''))
    expect(values.filter((value) => !/^(op:\/\/|https:\/\/)/.test(value))).toEqual([])
  })

  test('a client’s groups exist, its redirects are paths, and its secret is read from the field that the application reads', () => {
    const groups = [...String(locals('groups')).matchAll(/"([^"]+)"/g)].map(([, name]) => name)
    expect(groups.length).toBeGreaterThan(3)
    expect(clients().length).toBeGreaterThan(5)
    for (const [client, { url, redirects, groups: seenBy }] of clients()) {
      expect(url, client).toMatch(/^https:\/\/[a-z0-9]+\.\$\{local\.domain\.\w+\}$/)
      expect(redirects.filter((path) => !path.startsWith('/'))).toEqual([])
      expect(seenBy.filter((group) => !groups.includes(group))).toEqual([])
      expect(seenBy).not.toEqual([])
    }
    for (const client of Object.keys(locals('secrets') ?? {})) {
      expect(read('op.env')).toMatch(
        new RegExp(`^TF_VAR_${client}_client_secret=op://k8s-\\w+/${client}/client-secret$`, 'm'),
      )
    }
  })
})
