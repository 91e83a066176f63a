/**
 * Breaks the real tree at random, one place at a time, and counts what `validate` says to it: found, harmless (what is rendered
 * and what talhelper makes of the machines stays equal, or differs only in what an API or a chart fills in, helpers/mutation-meaning.ts), another
 * valid setting (helpers/mutations.ts says which two kinds), or missed. A sample by seed here; 1,000 with K8SOPS_TEST_FULL=1.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { checkRules } from '../../src/lib/repo/rules/check.ts'
import type { RepositoryView } from '../../src/lib/repo/rules/view.ts'
import { isYaml } from '../../src/lib/repo/source-files.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import { incrementalView } from '../helpers/incremental-view.ts'
import { appliedBy, machinesOf } from '../helpers/mutation-meaning.ts'
import { drawMutation } from '../helpers/mutations.ts'
import { full } from '../helpers/seed.ts'
import { projectRoot } from './tool.ts'

const seed = Number(process.env.K8SOPS_TEST_SEED?.replaceAll('-', '') ?? 20261124)
const wanted = Number(process.env.K8SOPS_TEST_MUTATIONS ?? (full ? 1000 : 40))
/** On a machine with other work fewer are tried, but never fewer than this. */
const least = 10
const seconds = full ? 3600 : 20
/**
 * Of those that are neither harmless nor another valid setting. 2 % is what issue 5 asks for and what the whole proof is held to
 * (docs/proof.md has the figures). The sample is too small for that: it only notices when validation becomes much blinder than it was.
 */
const mostMissed = full ? 0.02 : 0.3

const root = mkdtempSync(join(tmpdir(), 'k8sops-mutations-'))
afterAll(() => rmSync(root, { recursive: true }))

test(`seed ${seed}`, { timeout: full ? 3_700_000 : 180_000 }, async () => {
  for (const part of [
    'kubernetes',
    'talos',
    'bootstrap',
    'k8sops.yaml',
    '.sops.yaml',
    'docs/runbooks',
    'docs/prerequisites.md',
    '.github',
  ])
    cpSync(join(projectRoot, part), join(root, part), { recursive: true })
  const views = await incrementalView(root, kustomizeBuild(process.env))
  const files = new Map(
    views.whole.files
      .filter((file) => isYaml(file) && /^(kubernetes|talos)\//.test(file.path))
      .map(({ path, text }) => [path, text]),
  )
  const names = new Set(views.whole.clusters.flatMap(({ objects }) => objects.map(({ name }) => name)))
  const said = async (view: RepositoryView) =>
    new Set((await checkRules(view)).findings.map(({ rule, file, message }) => `${rule} ${file} ${message}`))
  const machines = machinesOf(root)
  const [before, applied, made] = [await said(views.whole), appliedBy(views.whole), machines.make()]

  const counts = { found: 0, harmless: 0, otherValid: 0, missed: 0 }
  const tell = () => console.log(`mutations, seed ${seed}: ${JSON.stringify(counts)}`)
  const deadline = Date.now() + seconds * 1000
  for (let index = 0; index < wanted && (index < least || Date.now() < deadline); index++) {
    const { file, operator, what, text, otherValid } = drawMutation(files, names, seed + index)
    writeFileSync(join(root, file), text)
    const view = await views.changed(file, text)
    const findings = await said(view).catch((error: Error) => {
      error.message += ` (${operator}, seed ${seed + index}, ${file}: ${what})`
      throw error
    })
    const isFound = [...findings].some((finding) => !before.has(finding))
    const isEqual = () => appliedBy(view) === applied && (!file.startsWith('talos/') || machines.make() === made)
    const outcome = isFound ? 'found' : isEqual() ? 'harmless' : otherValid ? 'otherValid' : 'missed'
    writeFileSync(join(root, file), files.get(file) as string)
    counts[outcome] += 1
    // At once, and the counts now and then: half an hour that is cut short has said what it saw.
    if (outcome === 'missed' || outcome === 'otherValid')
      console.log(`${outcome}: ${operator} (seed ${seed + index}): ${file}: ${what}`)
    if ((index + 1) % 50 === 0) tell()
  }
  machines.remove()
  tell()
  // The tree is whole again: what was measured was the breakages.
  for (const [path, text] of files) expect(readFileSync(join(root, path), 'utf8')).toBe(text)
  expect(counts.missed / (counts.found + counts.missed)).toBeLessThanOrEqual(mostMissed)
})
