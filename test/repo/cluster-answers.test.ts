/** `k8sops cluster new --answers FILE`: what is refused, with exactly which words at which line, and what is taken. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { openRepository } from '../../src/lib/config/load.ts'
import { full } from '../helpers/seed.ts'
import { fc } from '../helpers/seeded-check.ts'
import { changesOf, workingCopy } from './working-copy.ts'

interface Case {
  about: string
  /** The whole file. */
  text?: string
  /** Raw YAML by key; null takes the key out. */
  set?: Record<string, string | number | null>
  /** Invalid: everything that is said, `line: message`. Valid: what stands in which file. */
  expect: string[] | Record<string, string[]>
  /** What does not. */
  without?: Record<string, string[]>
}

const least = {
  from: 'apps',
  cidr: '10.25.12.0/24',
  pods: '10.46.0.0/16',
  services: '10.47.0.0/16',
  lbPool: '10.25.30.0/24',
  vlan: 2512,
  domain: 'staging.monosense.io',
  asn: 64515,
}

const casesOf = (name: string) => {
  const path = join(import.meta.dirname, '../fixtures/cluster-answers', `${name}.yaml`)
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document): [string, Case] => {
    const one = document.toJS() as Case
    return [one.about, one]
  })
}

const textOf = ({ text, set = {} }: Case) =>
  text ??
  Object.entries({ ...least, ...set })
    .filter(([, value]) => value !== null)
    .map(
      ([key, value]) =>
        `${key}: ${String(value)
          .replace(/^\n/, '\n  ')
          .replaceAll(/\n(?! )/g, '\n  ')}\n`,
    )
    .join('')

let copy: ReturnType<typeof workingCopy>
let changes: ReturnType<typeof changesOf>
beforeAll(() => {
  copy = workingCopy()
  changes = changesOf(copy.root)
})
afterAll(() => copy.remove())

/** Where git does not look. */
const answers = '.git/answers.yaml'

const create = (one: Case) => {
  writeFileSync(join(copy.root, answers), textOf(one))
  return copy.k8sops('cluster', 'new', 'staging', '--answers', answers, '-o', 'json')
}

describe('each of these is refused, with every reason and no other, and nothing is written', () => {
  test.each(casesOf('invalid'))('%s', async (_, one) => {
    const { code, stderr } = await create(one)
    const { problems } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as {
      problems: { file: string; line: number; message: string }[]
    }
    // The lines of other files change with them.
    const said = problems.map(
      ({ line, message }) => `${line}: ${message.replace(/((?:talos|kubernetes)[\w/-]+\.yaml):\d+/g, '$1')}`,
    )
    expect(said).toEqual(one.expect)
    expect(new Set(problems.map(({ file }) => file))).toEqual(new Set([answers]))
    expect(code).toBe(2)
    expect(changes.made()).toEqual([])
  })
})

describe('each of these is taken, and no rule has anything to say of it', () => {
  test.each(casesOf('valid'))('%s', async (_, one) => {
    const made = await create(one)
    expect(made, made.stderr).toMatchObject({ code: 0 })
    for (const [file, texts] of Object.entries(one.expect as Record<string, string[]>))
      for (const text of texts) expect(copy.read(file)).toContain(text)
    for (const [file, texts] of Object.entries(one.without ?? {}))
      for (const text of texts) expect(copy.read(file)).not.toContain(text)
    // Once more: everything is there already.
    expect(JSON.parse((await create(one)).stdout)).toMatchObject({
      items: expect.arrayContaining([{ file: expect.any(String), written: false }]),
    })
    changes.takeBack()
  })
})

describe('whatever is answered', () => {
  const numRuns = full ? 200 : 10
  const byte = (from: number, to: number) => fc.integer({ min: from, max: to })
  const network = (first: number, last: number, prefixes: number[]) =>
    fc.tuple(byte(first, last), fc.constantFrom(...prefixes)).map(([second, prefix]) => `10.${second}.0.0/${prefix}`)
  const name = fc.stringMatching(/^[a-z][a-z0-9]{1,8}$/)
  /** As a whole within what is free beside the two clusters. */
  const sound = fc
    .record({
      from: fc.constantFrom('apps', 'infra'),
      cidr: network(100, 149, [20, 23, 24, 25]),
      pods: network(150, 199, [16, 18, 20]),
      services: network(200, 249, [16, 20, 24]),
      lbPool: byte(16, 31).map((second) => `172.${second}.0.0/24`),
      vlan: byte(1, 2510),
      domain: name.map((label) => `${label}.example.org`),
      asn: byte(64_515, 65_534),
      id: fc.option(byte(3, 255), { nil: undefined }),
      vip: fc.option(byte(2, 9), { nil: undefined }),
      machines: fc.option(
        fc.record({ controlPlanes: fc.constantFrom(1, 3, 5), workers: byte(0, 6), ports: fc.boolean() }),
        { nil: undefined },
      ),
    })
    .map(({ machines, vip, ...answers }) => {
      const at = (place: number) => answers.cidr.replace(/0\/\d+$/, String(place))
      const port = (place: number, which: number) => `3c:ec:ef:00:0${which}:${place.toString(16).padStart(2, '0')}`
      const nodes = Array.from({ length: machines ? machines.controlPlanes + machines.workers : 0 }, (_, index) => ({
        hostname: `m${index}`,
        address: at(40 + index),
        controlPlane: index < (machines?.controlPlanes ?? 0),
        ...(machines?.ports ? { ports: [port(index, 1), port(index, 2)] } : {}),
      }))
      return { ...answers, ...(vip ? { vip: at(vip) } : {}), ...(nodes.length > 0 ? { nodes } : {}) }
    })

  test('what is sound beside the other clusters is taken, and no rule finds anything in what is written', async () => {
    await fc.assert(
      fc.asyncProperty(sound, async (given) => {
        const made = await create({ about: '', text: stringify(given), expect: [] })
        expect(made, made.stderr).toMatchObject({ code: 0 })
        const { problems, clusters } = await openRepository(copy.root)
        changes.takeBack()
        expect(problems).toEqual([])
        const staging = clusters.find((cluster) => cluster.name === 'staging')
        expect(staging?.nodes).toHaveLength(given.nodes?.length ?? 6)
        if (given.nodes) {
          const byName = (a: { hostname: string }, b: { hostname: string }) => (a.hostname < b.hostname ? -1 : 1)
          const wanted = given.nodes.map(({ hostname, address, controlPlane }) => ({ hostname, address, controlPlane }))
          expect(staging?.nodes.toSorted(byName)).toEqual(wanted.toSorted(byName))
        }
      }),
      { numRuns },
    )
  })

  test('what another cluster has is refused at its line, and nothing is written', async () => {
    const theirs = fc.constantFrom(
      { cidr: '10.25.11.0/24' },
      { pods: '10.42.0.0/16' },
      { services: '10.45.0.0/16' },
      { lbPool: '10.25.28.0/24' },
      { vlan: 2511 },
      { domain: 'monosense.dev' },
      { asn: 64_514 },
      { id: 1 },
    )
    await fc.assert(
      fc.asyncProperty(sound, theirs, async (given, taken) => {
        const { nodes, vip, ...answers } = { ...given, ...taken } as Record<string, unknown>
        const text = stringify(answers)
        const { code, stderr } = await create({ about: '', text, expect: [] })
        const { problems } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { problems: { line: number }[] }
        const line = text.split('\n').findIndex((one) => one.startsWith(`${Object.keys(taken)[0]}:`)) + 1
        expect([code, ...new Set(problems.map((problem) => problem.line))]).toEqual([2, line])
        expect(changes.made()).toEqual([])
      }),
      { numRuns },
    )
  })
})

describe('on a terminal', () => {
  const flags = ['cluster', 'new', 'staging', '--from', 'apps', '--pods', '10.46.0.0/16', '--services', '10.47.0.0/16']
  const lines = ['nowhere', '10.25.12.0/24', '10.25.30.0/24', '2512', 'staging.monosense.io', '64515']

  test('what is missing is asked for, and asked again when it can not be', async () => {
    const made = await copy.typed(lines, {}, ...flags)
    expect(made, made.stderr).toMatchObject({ code: 0 })
    expect(made.stderr).toContain('cidr, of the nodes (like 10.25.13.0/24):')
    expect(made.stderr).toContain('  nowhere must be a network like 10.25.12.0/24')
    expect(made.stderr).not.toContain('pods, of the pods')
    expect(copy.read('talos/staging/talconfig.yaml')).toContain('10.25.12.16')
    changes.takeBack()
  })

  test('three answers that can not be are enough, and so is the end of input', async () => {
    const refused = await copy.typed(['a', 'b', 'c', '10.25.30.0/24', '\u0004'], {}, ...flags)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('--cidr is missing; --vlan is missing; --domain is missing; --asn is missing')
    expect(changes.made()).toEqual([])
  })

  test('nobody is asked in CI: all that is missing is named at once', async () => {
    const refused = await copy.typed(lines, { CI: 'true' }, ...flags)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('--cidr is missing; --lb-pool is missing; --vlan is missing')
    expect(refused.stderr).not.toContain('of the nodes')
    expect(changes.made()).toEqual([])
  })
})
