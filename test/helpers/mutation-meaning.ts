/**
 * What a tree means: what Flux would apply, less what an API or a chart fills in by itself, and what talhelper makes of the machines.
 * Two trees with one meaning differ for nobody. Only what is documented as a default is taken for one.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dig } from '../../src/lib/repo/fields.ts'
import type { RepositoryView } from '../../src/lib/repo/rules/view.ts'
import type { Json, KubeObject } from '../../src/lib/types.ts'
import { runTool } from '../repo/tool.ts'
import { defaultsOf } from './api-defaults.ts'

/** Takes a value away where it is what stands there anyway, with what it leaves empty. */
function take(value: unknown, keys: readonly string[], expected: Json): void {
  const [key = '', ...rest] = keys
  if (key === '*') {
    if (Array.isArray(value)) for (const item of value) take(item, rest, expected)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const fields = value as Record<string, unknown>
  if (rest.length > 0) take(fields[key], rest, expected)
  const below = fields[key]
  const isEmpty = typeof below === 'object' && below !== null && rest.length > 0 && Object.keys(below).length === 0
  if ((rest.length === 0 && below === expected) || (isEmpty && !Array.isArray(below))) delete fields[key]
}

/** An object without what its API would fill in anyway, so that leaving it out is equal; and with its dependencies in one order. */
function withoutDefaults(object: KubeObject, group: string, chart?: { [key: string]: Json }): KubeObject {
  const copy = structuredClone(object) as KubeObject & { spec?: Record<string, unknown> }
  for (const [path, expected] of Object.entries(defaultsOf(`${copy.kind}.${group}`)))
    take(copy, path.split('.'), expected)
  // helm-controller 1.6, MustRemediateLastFailure: so it is where there are retries.
  if (Number(dig(copy, 'spec.upgrade.remediation.retries')) > 0)
    take(copy, ['spec', 'upgrade', 'remediation', 'remediateLastFailure'], true)
  if (copy.kind === 'ExternalSecret') take(copy, ['spec', 'target', 'name'], copy.metadata.name)
  if (chart) takeAll(dig(copy, 'spec.values'), chart)
  const { spec } = copy
  if (Array.isArray(spec?.dependsOn)) spec.dependsOn = spec.dependsOn.map((one) => JSON.stringify(one)).sort()
  return copy
}

/** Values that are those of the chart itself, as far as its record (lab/charts) has them. */
function takeAll(values: unknown, known: { [key: string]: Json }, path: string[] = [], root: unknown = values): void {
  for (const [key, value] of Object.entries(known)) {
    const at = [...path, key]
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) takeAll(values, value, at, root)
    else take(root, at, value)
  }
}

/** What Flux would apply. */
export function appliedBy({ clusters }: RepositoryView): string {
  return JSON.stringify(
    clusters.map(({ objects, rendered, releases }) => {
      const charts = new Map(
        releases.map(({ release, facts }) => [`${release.namespace}/${release.name}`, facts?.defaults]),
      )
      return [
        objects
          .map((one) => {
            const chart = one.kind === 'HelmRelease' ? charts.get(`${one.namespace}/${one.name}`) : undefined
            return JSON.stringify(withoutDefaults(one.object(), one.group, chart))
          })
          .sort(),
        rendered
          .map(({ kustomization: { raw } }) => {
            const object = { kind: 'Kustomization', metadata: {}, spec: raw } as unknown as KubeObject
            return JSON.stringify(withoutDefaults(object, 'kustomize.toolkit.fluxcd.io'))
          })
          .sort(),
      ]
    }),
  )
}

export interface Machines {
  /** The configurations that talhelper makes of the tree as it is now; `refused`, with the reason, when it makes none. */
  make(): string
  remove(): void
}

/** The machines of a tree, with secrets that stay the same. */
export function machinesOf(root: string): Machines {
  const scratch = mkdtempSync(join(tmpdir(), 'k8sops-machines-'))
  const env = { HOME: scratch, PATH: '' }
  const secret = join(scratch, 'talsecret.yaml')
  writeFileSync(secret, runTool('talhelper', ['gensecret'], { cwd: scratch, env }))
  const clusters = readdirSync(join(root, 'talos')).filter((name) =>
    existsSync(join(root, 'talos', name, 'talconfig.yaml')),
  )
  const makeOf = (cluster: string): string[] => {
    const out = join(scratch, cluster)
    rmSync(out, { recursive: true, force: true })
    const cwd = join(root, 'talos', cluster)
    runTool('talhelper', ['genconfig', '--offline-mode', '-c', 'talconfig.yaml', '-s', secret, '-o', out], { cwd, env })
    const names = readdirSync(out).filter((name) => name.endsWith('.yaml'))
    return names.map((name) => `${name}\n${readFileSync(join(out, name), 'utf8')}`)
  }
  return {
    make() {
      try {
        return clusters.flatMap(makeOf).join('')
      } catch (error) {
        return `refused: ${(error as Error).message}`
      }
    },
    remove: () => rmSync(scratch, { recursive: true }),
  }
}
