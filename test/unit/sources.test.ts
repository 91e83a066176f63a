import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resolveDistribution } from '../../src/lib/lab/flux/distribution.ts'
import { nextConditions, statusHolds } from '../../src/lib/lab/kube/conditions.ts'
import { createReconciler, specChange } from '../../src/lib/lab/kube/reconciler.ts'
import { documentedFields, fieldsOfItem, renderTemplate } from '../../src/lib/lab/operators/secret-template.ts'
import { packCommit, resolveReference } from '../../src/lib/lab/sources/git-revision.ts'
import { failedStatus, parseDuration, SourceError, storedStatus } from '../../src/lib/lab/sources/status.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { commit, makeRepository } from '../helpers/test-cluster.ts'

const object = (metadata: Partial<KubeObject['metadata']> = {}, status?: KubeObject['status']): KubeObject => ({
  apiVersion: 'x/v1',
  kind: 'X',
  metadata: { name: 'a', namespace: 'n', generation: 2, ...metadata },
  ...(status ? { status } : {}),
})

describe('git revisions', () => {
  let dir: string
  let root: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'k8sops-git-'))
    root = join(dir, 'repo')
    await makeRepository(dir, {
      'kubernetes/a.yaml': 'a: 1\n',
      'kubernetes/logo.png': 'picture',
      'docs/b.md': 'b',
      '.github/workflows/ci.yaml': 'on: push',
      '.sops.yaml': 'creation_rules: []',
      'kubernetes/.sops.yaml': 'x',
    })
    await mkdir(join(root, 'links'))
    await symlink('../docs', join(root, 'links/docs'))
    await commit(root, 'second')
    execFileSync('git', ['-C', root, 'tag', 'v1.0.0'])
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  const unpacked = async (archive: Buffer) => {
    await writeFile(join(dir, 'a.tgz'), archive)
    return execFileSync('tar', ['-tzf', join(dir, 'a.tgz')], { encoding: 'utf8' })
      .trim()
      .split('\n')
  }

  test.each([
    [{ branch: 'main' }, /^main@sha1:[0-9a-f]{40}$/],
    [{ name: 'refs/heads/release' }, /^refs\/heads\/release@sha1:[0-9a-f]{40}$/],
    [{ tag: 'v1.0.0' }, /^v1\.0\.0@sha1:[0-9a-f]{40}$/],
  ])('%o is written as Flux writes it', async (reference, revision) => {
    expect((await resolveReference(root, reference)).revision).toMatch(revision)
  })

  test('a branch that moved is another revision', async () => {
    const [main, release] = await Promise.all(['main', 'release'].map((branch) => resolveReference(root, { branch })))
    expect(main?.commit).not.toBe(release?.commit)
  })

  test.each([
    [{ branch: 'nope' }, 'couldn\'t find remote ref "refs/heads/nope"'],
    [{ name: 'refs/pull/1/head' }, 'couldn\'t find remote ref "refs/pull/1/head"'],
    [{ commit: 'a'.repeat(40) }, 'object not found'],
    [{}, 'couldn\'t find remote ref "refs/heads/master"'],
  ])('%o is an error', async (reference, message) => {
    await expect(resolveReference(root, reference)).rejects.toThrow(message)
  })

  test('an artifact holds regular files, without what source-controller leaves out', async () => {
    const { commit: sha } = await resolveReference(root, { branch: 'main' })
    const archive = await packCommit(root, sha)
    expect(await unpacked(archive)).toEqual(['docs/b.md', 'kubernetes/a.yaml'])
    expect(await packCommit(root, sha)).toEqual(archive)
    expect(execFileSync('tar', ['-xzOf', join(dir, 'a.tgz'), 'kubernetes/a.yaml'], { encoding: 'utf8' })).toBe('a: 1\n')
  })

  test('spec.ignore has the last word', async () => {
    const { commit: sha } = await resolveReference(root, { branch: 'main' })
    const archive = await packCommit(root, sha, '/*\n!/kubernetes\n!*.png\n')
    expect(await unpacked(archive)).toEqual(['kubernetes/a.yaml', 'kubernetes/logo.png'])
  })
})

describe('status of sources', () => {
  const artifact = {
    path: 'p',
    url: 'http://x/p',
    revision: 'main@sha1:1',
    digest: 'sha256:1',
    size: 1,
    lastUpdateTime: 't1',
  }

  test('an artifact that is the same keeps its time, and a request is answered', () => {
    const asked = object({ annotations: { 'reconcile.fluxcd.io/requestedAt': 'now' } }, { artifact })
    const status = storedStatus(asked, { ...artifact, lastUpdateTime: 't2' }, 'stored')
    expect(status).toMatchObject({
      artifact: { lastUpdateTime: 't1' },
      lastHandledReconcileAt: 'now',
      observedGeneration: 2,
    })
    expect((status.conditions as { type: string }[]).map(({ type }) => type)).toEqual(['Ready', 'ArtifactInStorage'])
  })

  test('a failure that is retried has not observed the generation, a stalled one has', () => {
    const retried = failedStatus(object(), new SourceError('GitOperationFailed', 'no'))
    expect(retried).toMatchObject({
      observedGeneration: -1,
      conditions: [{ type: 'Reconciling' }, { type: 'Ready', status: 'False' }, { type: 'FetchFailed' }],
    })
    const stalled = failedStatus(object(), new SourceError('URLInvalid', 'no', true))
    expect(stalled).toMatchObject({ observedGeneration: 2, conditions: [{ type: 'Stalled' }, {}, {}] })
  })

  test.each([
    ['1h', 3_600_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['10', undefined],
    [undefined, undefined],
  ])('duration %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })
})

describe('conditions', () => {
  test('the transition time moves with the status only', () => {
    const before = { type: 'Ready', status: 'True', reason: 'A', message: '', lastTransitionTime: 'then' }
    const [same] = nextConditions(object({}, { conditions: [before] }), [
      { type: 'Ready', status: 'True', reason: 'B', message: 'other' },
    ])
    expect(same).toMatchObject({ lastTransitionTime: 'then', reason: 'B', observedGeneration: 2 })
    const [other] = nextConditions(object({}, { conditions: [before] }), [
      { type: 'Ready', status: 'False', reason: 'B', message: '' },
    ])
    expect(other?.lastTransitionTime).not.toBe('then')
  })

  test('null and missing are the same, a longer list is not', () => {
    expect(statusHolds(object({}, { a: [1] }), { a: [1], b: null })).toBe(true)
    expect(statusHolds(object({}, { a: [1] }), { a: [1, 2] })).toBe(false)
  })
})

describe('the reconciler', () => {
  test('calls once per change, keeps at most one call per object, and retries', async () => {
    const calls: string[] = []
    const gate = Promise.withResolvers<void>()
    const errors: number[] = []
    const reconciler = createReconciler(
      async ({ metadata }) => {
        calls.push(metadata.resourceVersion ?? '')
        if (calls.length === 1) await gate.promise
        if (calls.length === 2) throw new Error('try again')
        return undefined
      },
      { active: () => true, onError: (_object, _error, retryMs) => errors.push(retryMs), firstRetryMs: 5 },
    )
    reconciler.set([object({ resourceVersion: '1' })])
    reconciler.set([object({ resourceVersion: '1' })])
    reconciler.set([object({ resourceVersion: '2' })])
    expect(calls).toEqual(['1'])
    gate.resolve()
    await expect.poll(() => calls).toEqual(['1', '2', '2'])
    expect(errors).toEqual([5])
    reconciler.stop()
  })

  test('does nothing while its operator is away, all of it when it is back', async () => {
    let active = false
    const calls: string[] = []
    const reconciler = createReconciler(
      async ({ metadata }) => {
        calls.push(metadata.name)
        return undefined
      },
      { active: () => active, onError: () => {} },
    )
    reconciler.set([object({ name: 'a' }), object({ name: 'b' })])
    expect(calls).toEqual([])
    active = true
    reconciler.again()
    expect(calls).toEqual(['a', 'b'])
    reconciler.stop()
  })

  test('a status is no change of the spec, an annotation is', () => {
    const before = object({ resourceVersion: '1' })
    expect(specChange(before, object({ resourceVersion: '2' }, { x: 1 }))).toBe(false)
    expect(specChange(before, object({ annotations: { a: 'b' } }))).toBe(true)
  })
})

describe('Flux distributions', () => {
  const spec = (version: string) => ({ distribution: { version, registry: 'ghcr.io/fluxcd' } })
  test.each([
    ['2.9.4', 'v2.9.4'],
    ['v2.8.8', 'v2.8.8'],
    ['2.x', 'v2.9.5'],
    ['2.8.x', 'v2.8.8'],
  ])('%s is %s', async (wanted, version) => {
    const found = await resolveDistribution(spec(wanted))
    expect(found.version).toBe(version)
    expect(found.components.map(({ name }) => name)).toContain('kustomize-controller')
  })

  test("another is refused in flux-operator's words", async () => {
    await expect(resolveDistribution(spec('3.x'))).rejects.toThrow('no match found for semver: 3.x')
  })
})

describe('templates of secrets', () => {
  test('each action becomes the field that it names, decoded where it says so', () => {
    const values = { user: 'u', 'api-key': 'k', packed: 'a2V5cw==' }
    const template = {
      url: 'https://{{ .user | toString }}:{{ index . "api-key" }}@x',
      none: '{{ now }}',
      unpacked: '{{ .packed | b64dec }} {{ .packed | b64dec | b64enc }}',
    }
    expect(renderTemplate(template, values)).toEqual({
      url: 'https://u:k@x',
      none: '',
      unpacked: 'keys a2V5cw==',
    })
  })

  test('fields come from the template, else from the documented table, else nowhere', async () => {
    expect(await fieldsOfItem('/nowhere', 'x', { a: '{{ .one }} {{ index . "two" }}' })).toEqual(['one', 'two'])
    const table =
      '| v | item | fields |\n|---|---|---|\n| v | cloudflare | `dns-token` | |\n| | | `a`, `b` | |\n\n| v | x | y |'
    expect(documentedFields(table, 'cloudflare')).toEqual(['dns-token', 'a', 'b'])
    await expect(fieldsOfItem('/nowhere', 'x')).rejects.toThrow("doesn't know the fields of item x")
  })
})
