import { beforeAll, expect, test } from 'vitest'
import { loadRepository } from '../../src/lib/config/load.ts'
import { renderersOf } from '../../src/lib/repo/renderers.ts'
import { type Validation, validateRepository } from '../../src/lib/repo/validation.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

let validation: Validation
beforeAll(async () => {
  const repository = await loadRepository(projectRoot)
  validation = await validateRepository(repository, renderersOf(projectRoot, offline), repository)
})

test('this repository breaks none of the rules', () => {
  const said = validation.findings.map(({ file, line, rule, message }) => `${file}:${line} [${rule}] ${message}`)
  expect(said).toEqual([])
  expect(validation.unreadable).toEqual([])
})

test('it was rendered for both clusters, and what was not is named', () => {
  expect(validation.coverage.map(({ cluster }) => cluster)).toEqual(['infra', 'apps'])
  for (const { kustomizations, releases, missing, byPath } of validation.coverage) {
    expect(kustomizations).toBeGreaterThan(10)
    expect(releases).toBeGreaterThan(8)
    expect(byPath).toEqual([])
    for (const { release, reason } of missing) expect(`${release}: ${reason}`).toMatch(/^[\w-]+\/[\w-]+: .+/)
  }
})

test('facts that Flux pulls by are those that the CLI goes by', async () => {
  const { clusters } = await loadRepository(projectRoot)
  for (const { settings, follows } of clusters) expect(settings.GIT_REF).toBe(`refs/heads/${follows}`)
})
