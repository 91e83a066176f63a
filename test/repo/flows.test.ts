/** What may reach what, on both clusters: every flow that components need is open, and every other pair of pods is closed (NFR9). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadRepository } from '../../src/lib/config/load.ts'
import { clusterPolicies } from '../../src/lib/repo/policy/cluster-policies.ts'
import { type EndpointDirectory, endpointDirectory, portOf } from '../../src/lib/repo/policy/endpoints.ts'
import { type Explanation, explain } from '../../src/lib/repo/policy/evaluate.ts'
import type { PolicySet } from '../../src/lib/repo/policy/model.ts'
import { readView } from '../../src/lib/repo/read-view.ts'
import { renderersOf } from '../../src/lib/repo/renderers.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

interface Flow {
  from: string
  to: string
  ports: (number | string)[]
  clusters?: string[]
  is?: 'allowed' | 'unknown'
  by?: string
}
interface Wide {
  exempt: string[]
  within: string[]
  pairs: { from: string; to: string; ports?: number[] }[]
}
interface Seen {
  name: string
  directory: EndpointDirectory
  set: PolicySet
  fill: (text: string) => string
}

const { flows, wide } = parse(readFileSync(join(import.meta.dirname, 'flows.yaml'), 'utf8')) as {
  flows: Flow[]
  wide: Wide
}
let clusters: Seen[]
beforeAll(async () => {
  const repository = await loadRepository(projectRoot)
  const { view } = await readView(repository, repository.clusters, renderersOf(projectRoot, offline))
  clusters = view.clusters.map((own) => {
    const cluster = repository.clusters.find(({ name }) => name === own.name)
    if (!cluster) throw new Error(`no cluster ${own.name}`)
    return {
      name: own.name,
      directory: endpointDirectory(own, cluster),
      set: clusterPolicies(own).set,
      fill: (text: string) =>
        text.replaceAll(/\$\{(\w+)\}/g, (_, key: string) => {
          const value = cluster.settings[key]
          if (value === undefined) throw new Error(`cluster ${own.name} has no setting ${key}`)
          return value
        }),
    }
  })
})

const deciding = ({ egress, ingress }: Explanation) => [...egress.by, ...ingress.by].map(({ name }) => name)

test.each(['infra', 'apps'])('%s: every flow that a component needs is open, as far as layers 3 and 4 say', (name) => {
  const seen = clusters.find((one) => one.name === name)!
  const here = flows.filter((flow) => flow.clusters?.includes(name) ?? true)
  expect(here.length).toBeGreaterThan(90)
  const wrong = here.flatMap(({ from, to, ports, is = 'allowed', by }) =>
    ports.flatMap((text) => {
      const port = portOf(String(text))
      const target = seen.directory.findTarget(seen.fill(to), port)
      return seen.directory.find(seen.fill(from)).flatMap((source) =>
        target.endpoints.flatMap((endpoint) => {
          const found = explain(seen.set, source, endpoint, target.port)
          if (found.verdict === is && (by === undefined || deciding(found).includes(by))) return []
          return [
            `${from} -> ${to} ${text}: ${found.verdict}, ${found.egress.why} | ${found.ingress.why} | ${deciding(found)}`,
          ]
        }),
      )
    }),
  )
  expect(wrong).toEqual([])
})

const asPattern = (text: string) => new RegExp(`^${text.replaceAll('.', String.raw`\.`).replaceAll('*', '.*')}$`)
const spaceOf = (text: string) => text.slice(0, text.indexOf('/'))

/** Ports that something listens on, and some that nothing does. */
const tried = [
  ...new Set(flows.flatMap(({ ports }) => ports.map((one) => portOf(String(one)).number))),
  1,
  22,
  3128,
  31_337,
]

test.each(['infra', 'apps'])('%s: every pair of pods that is not listed is denied', (name) => {
  const { directory, set } = clusters.find((one) => one.name === name)!
  const listed = flows
    .filter((flow) => flow.clusters?.includes(name) ?? true)
    .map(({ from, to, ports }) => ({ from, to, ports: ports.map((one) => portOf(String(one)).number) }))
  const open = [...listed, ...wide.pairs].map(({ from, to, ports }) => ({
    from: asPattern(from),
    to: asPattern(to),
    ports: ports === undefined ? undefined : new Set(ports),
  }))
  const isOpen = (from: string, to: string, port: number) =>
    open.some((one) => (one.ports?.has(port) ?? true) && one.from.test(from) && one.to.test(to))
  const pods = directory.pods.filter(({ kind, text }) => kind === 'pod' && !wide.exempt.includes(spaceOf(text)))
  // Each pair on one port after the other in turn, so that together they meet every port; all of them with K8SOPS_TEST_FULL.
  let turn = 0
  const next = () => [tried[turn++ % tried.length]!, tried[(turn * 7) % tried.length]!]
  let denied = 0
  const leaks: string[] = []
  for (const source of pods)
    for (const target of pods) {
      if (spaceOf(source.text) === spaceOf(target.text) && wide.within.includes(spaceOf(source.text))) continue
      for (const number of process.env.K8SOPS_TEST_FULL ? tried : next()) {
        if (isOpen(source.text, target.text, number)) continue
        const found = explain(set, source, target, { number, protocol: 'TCP' })
        if (found.verdict === 'denied') denied += 1
        else leaks.push(`${source.text} -> ${target.text} ${number}: ${found.verdict} by ${deciding(found)}`)
      }
    }
  expect(leaks).toEqual([])
  expect(denied).toBeGreaterThan(1000)
})

test.each(['infra', 'apps'])(
  '%s: a pod that nobody wrote a policy for reaches nothing but DNS, and the Internet does not reach it',
  (name) => {
    const { directory, set } = clusters.find((one) => one.name === name)!
    const namespaces = [...new Set(directory.pods.map(({ text }) => spaceOf(text)))].filter(
      (space) => !wide.exempt.includes(space) && !wide.within.includes(space),
    )
    const opened = namespaces.flatMap((space) => {
      const [stranger] = directory.find(`${space}/app.kubernetes.io/name=stranger`)
      const [world] = directory.find('203.0.113.7')
      const outside = explain(set, stranger!, world!, { number: 443, protocol: 'TCP' })
      const inside = explain(set, world!, stranger!, { number: 8080, protocol: 'TCP' })
      return [outside, inside].filter(({ verdict }) => verdict !== 'denied').map((one) => `${space}: ${deciding(one)}`)
    })
    expect(namespaces.length).toBeGreaterThan(4)
    expect(opened).toEqual([])
  },
)
