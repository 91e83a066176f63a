/**
 * `validate --changed` renders a part and says what the whole says: real commits on a clone of this repository, each a breakage drawn by
 * seed. Two here; 60 with K8SOPS_TEST_FULL=1.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadRepository } from '../../src/lib/config/load.ts'
import { renderersOf } from '../../src/lib/repo/renderers.ts'
import { isYaml, readSourceFiles } from '../../src/lib/repo/source-files.ts'
import { type Validation, validateRepository } from '../../src/lib/repo/validation.ts'
import { drawMutation } from '../helpers/mutations.ts'
import { full } from '../helpers/seed.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

const seed = Number(process.env.K8SOPS_TEST_SEED?.replaceAll('-', '') ?? 20261130)
const wanted = full ? 60 : 2
const seconds = full ? 900 : 15

const root = mkdtempSync(join(tmpdir(), 'k8sops-changed-'))
afterAll(() => rmSync(root, { recursive: true }))
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd: root, encoding: 'utf8' })

let base: string
let clean: Set<string>
beforeAll(async () => {
  execFileSync('git', ['clone', '--quiet', '--shared', projectRoot, root])
  base = git('rev-parse', 'HEAD').trim()
  clean = said(await validate())
})

async function validate(since?: string, cluster?: string): Promise<Validation> {
  const repository = await loadRepository(root)
  const clusters = repository.clusters.filter(({ name }) => cluster === undefined || name === cluster)
  return validateRepository(repository, renderersOf(root, offline), { clusters, since })
}

const said = ({ findings }: Validation) =>
  new Set(findings.map(({ rule, file, line, message }) => `${file}:${line} [${rule}] ${message}`))

const skipped = ({ coverage }: Validation) => coverage.reduce((sum, one) => sum + one.skipped, 0)

/** Of `kubernetes/…/<component>/app/x.yaml` the component's directory. */
const componentOf = (file: string) => dirname(file).replace(/\/app$/, '')

test(`what a commit broke is said in full, and nothing else (seed ${seed})`, { timeout: 1_000_000 }, async () => {
  const files = new Map(
    readSourceFiles(root)
      .filter((file) => isYaml(file) && file.path.startsWith('kubernetes/'))
      .map(({ path, text }) => [path, text]),
  )
  const names = new Set([...files.values()].flatMap((text) => text.match(/(?<=^ {2}name: )[\w-]+/gm) ?? []))
  const deadline = Date.now() + seconds * 1000
  let left = 0
  for (let index = 0; index < wanted && (index < 1 || Date.now() < deadline); index++) {
    const { file, what, text } = drawMutation(files, names, seed + index)
    writeFileSync(join(root, file), text)
    git('commit', '--quiet', '--all', '--message', `break ${file}`)
    const [part, whole] = [await validate(base), await validate()]
    git('reset', '--quiet', '--hard', base)
    left += skipped(part)
    const [ours, all] = [said(part), said(whole)]
    const commit = `seed ${seed + index}: ${file}: ${what}`
    expect(
      [...ours].filter((finding) => !all.has(finding)),
      commit,
    ).toEqual([])
    // New, and in what changed: nothing of it may be missing.
    const own = [...all].filter((finding) => !clean.has(finding) && finding.startsWith(componentOf(file)))
    expect(
      own.filter((finding) => !ours.has(finding)),
      commit,
    ).toEqual([])
  }
  if (full) expect(left).toBeGreaterThan(0)
})

test('a small change renders a small part; --cluster renders no other', { timeout: 300_000 }, async () => {
  const file = 'kubernetes/infrastructure/controllers/kube-system/reloader/app/kustomization.yaml'
  writeFileSync(join(root, file), '# A remark.\n', { flag: 'a' })
  const part = await validate(base)
  git('checkout', '--quiet', '--', file)
  expect(said(part)).toEqual(new Set([...clean].filter((finding) => finding.startsWith(file))))
  for (const { kustomizations, skipped: others } of part.coverage) expect(kustomizations).toBeLessThan(others)

  const one = await validate(undefined, 'infra')
  expect(said(one)).toEqual(clean)
  expect(one.coverage.map(({ cluster, skipped: others }) => [cluster, others])).toEqual([['infra', 0]])
})
