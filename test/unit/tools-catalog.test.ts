import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  catalog,
  pinnedVersion,
  recipesDir,
  requiredVersion,
  toolNamed,
  toolsFor,
} from '../../src/lib/tools/catalog.ts'

const root = join(import.meta.dirname, '../..')

test('mise.toml and tools/*/go.mod pin the same versions', () => {
  const mise = readFileSync(join(root, 'mise.toml'), 'utf8')
  const pins = Object.fromEntries(
    [...mise.matchAll(/^"?([^"\s#]+)"? = "([^"]+)"$/gm)].map(([, name, version]) => [name, version]),
  )
  for (const tool of catalog.filter((candidate) => candidate.mise)) {
    expect(`${tool.mise} ${pins[tool.mise as string]}`).toBe(`${tool.mise} ${pinnedVersion(tool)}`)
  }
  const node = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.node
  expect(pins.node).toBe(node)
})

test('every tool has a recipe whose module holds its package', () => {
  expect(recipesDir()).toBe(join(root, 'tools'))
  for (const tool of catalog) {
    expect(pinnedVersion(tool), tool.name).toMatch(/^\d+\.\d+\.\d+/)
    if (tool.package !== 'crds') expect(tool.package, tool.name).toContain(tool.module)
  }
  expect(new Set(catalog.map((tool) => tool.name)).size).toBe(catalog.length)
})

test('the CRDs are those of the Flux controllers that the lab runs', () => {
  const pins = (dir: string) => readFileSync(join(root, 'tools', dir, 'go.mod'), 'utf8')
  for (const controller of ['kustomize-controller', 'helm-controller']) {
    const module = `github.com/fluxcd/${controller}`
    expect(requiredVersion(pins('flux-crds'), module)).toBe(requiredVersion(pins(controller), module))
  }
})

test('Git asks for the Flux whose CLI, controllers and manifests are pinned here', () => {
  const directory = join(root, 'kubernetes/infrastructure/controllers/flux-system')
  const read = (file: string) => readFileSync(join(directory, file), 'utf8')
  const distribution = read('flux-instance/app/helmrelease.yaml')
  const version = /^ +version: (\S+)$/m.exec(distribution)?.[1]
  expect(version).toBe(pinnedVersion(toolNamed('flux')))
  const { versions } = JSON.parse(readFileSync(join(root, 'lab/flux/distributions.json'), 'utf8'))
  for (const controller of ['kustomize-controller', 'helm-controller']) {
    expect(versions[`v${version}`][controller]).toBe(`v${pinnedVersion(toolNamed(controller))}`)
  }
  const manifests = /flux-operator-manifests:v(\S+)$/m.exec(distribution)?.[1]
  for (const chart of ['flux-operator', 'flux-instance']) {
    expect(/^ +tag: (\S+)$/m.exec(read(`${chart}/app/ocirepository.yaml`))?.[1]).toBe(manifests)
  }
})

test('requiredVersion reads both forms of require and no other line', () => {
  const goMod = `module x
require example.com/one v1.2.3
require (
	example.com/two v0.4.0-rc.1 // indirect
)
replace example.com/three => example.com/three v9.9.9
`
  expect(requiredVersion(goMod, 'example.com/one')).toBe('1.2.3')
  expect(requiredVersion(goMod, 'example.com/two')).toBe('0.4.0-rc.1')
  expect(requiredVersion(goMod, 'example.com/three')).toBeUndefined()
})

test('bootstrap in the lab needs every tool but those of our own checks', () => {
  const needed = new Set([...toolsFor('bootstrap'), ...toolsFor('lab')].map((tool) => tool.name))
  const others = catalog.filter((tool) => !needed.has(tool.name)).map((tool) => tool.name)
  expect(others).toEqual(toolsFor('test').map((tool) => tool.name))
})

test('what tools/align.ts raised has one version in every recipe', () => {
  const seen = new Map<string, Set<string>>()
  for (const dir of new Set(catalog.map((tool) => tool.dir))) {
    const goMod = readFileSync(join(root, 'tools', dir, 'go.mod'), 'utf8')
    for (const [, path, version] of goMod.matchAll(/^\t(\S+) (v\S+) \/\/ indirect$/gm)) {
      seen.set(path as string, (seen.get(path as string) ?? new Set()).add(version as string))
    }
  }
  const split = [...seen].filter(([, versions]) => versions.size > 1).map(([path, versions]) => [path, ...versions])
  expect(split, 'run `node tools/align.ts`').toEqual([])
})

test('package-lock.json has every optional dependency, other platforms too, or npm ci refuses it', () => {
  interface Locked {
    optionalDependencies?: Record<string, string>
  }
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>
  }
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
    ),
  )
  expect(missing).toEqual([])
})
