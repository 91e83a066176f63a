/** The rules of the repository, as they are rendered for every cluster; and the cases of test/fixtures/alerts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { loadRepository } from '../../src/lib/config/load.ts'
import { renderCluster } from '../../src/lib/repo/render.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import type { KubeObject } from '../../src/lib/types.ts'

export interface AlertRule {
  alert?: string
  record?: string
  expr: string
  for?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}
export interface RuleGroup {
  name: string
  interval?: string
  rules: AlertRule[]
}
export interface RuleObject {
  /** `<namespace>.<name>`, as its file of cases is called. */
  id: string
  cluster: string
  groups: RuleGroup[]
}
export interface RenderedObject {
  cluster: string
  /** The Kustomization that applies it. */
  owner: string
  kind: string
  namespace: string
  name: string
  object: KubeObject
}

const root = join(import.meta.dirname, '../..')

/** Everything that Flux makes in every cluster; what charts make is not in it. */
export async function renderedObjects(): Promise<RenderedObject[]> {
  const { clusters } = await loadRepository(root)
  const rendered = await Promise.all(
    clusters.map(async ({ name: cluster }) => {
      const all = await renderCluster(root, cluster, { kustomize: kustomizeBuild(process.env) })
      return all.flatMap(({ kustomization, manifests }) =>
        manifests.map((one): RenderedObject => {
          const object = one.object()
          const { namespace = '', name } = object.metadata
          return { cluster, owner: kustomization.name, kind: one.kind, namespace, name, object }
        }),
      )
    }),
  )
  return rendered.flat()
}

export function rulesIn(objects: RenderedObject[]): RuleObject[] {
  return objects
    .filter(({ kind }) => kind === 'PrometheusRule' || kind === 'VMRule')
    .map(({ cluster, namespace, name, object }) => ({
      id: `${namespace}.${name}`,
      cluster,
      groups: (object.spec as { groups: RuleGroup[] }).groups,
    }))
}

/** One alert's proof. Times and series are written as in Prometheus' own unit tests. */
export interface AlertCase {
  /** When it is looked at. */
  at: string
  /** How often rules are evaluated and series have samples; a minute. */
  every?: string
  fires: string
  /** The labels of the alerts that fire beside name and severity; `$value` is what the summary shows of the value. */
  as: Record<string, string | number> | Record<string, string | number>[]
  /** Where it must not fire; the dead man's switch has none. */
  silent?: string
  always?: true
}
/** What a recording rule makes of what it is given. */
export interface RecordCase {
  at: string
  every?: string
  given: string
  gives: Record<string, number>
}
export type RuleCase = AlertCase | RecordCase

const casesDirectory = join(root, 'test/fixtures/alerts')

/** By id of the object and name of the alert or of the series. */
export function ruleCases(): Map<string, Map<string, RuleCase>> {
  return new Map(
    readdirSync(casesDirectory).map((file) => {
      const cases = parse(readFileSync(join(casesDirectory, file), 'utf8')) as Record<string, RuleCase>
      return [file.replace(/\.yaml$/, ''), new Map(Object.entries(cases))]
    }),
  )
}

export interface InputSeries {
  series: string
  values: string
}

/** @param text a series a line: `name{labels} values` */
export function seriesOf(text: string): InputSeries[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [, series = '', values = ''] = /^(\S+?\{.*\}|\w+) (.+)$/.exec(line.trim()) ?? []
      if (!series) throw new Error(`no series: ${line}`)
      return { series, values }
    })
}
