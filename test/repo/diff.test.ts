/** What a commit means, as pairs: a small change of a small repository, and everything that is said of it. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadRepository } from '../../src/lib/config/load.ts'
import { compareRevisions } from '../../src/lib/repo/difference/compare.ts'
import type { DifferenceText } from '../../src/lib/repo/difference/document.ts'
import type { KubeObject, KubePort } from '../../src/lib/types.ts'
import { differenceHtml } from '../../src/lib/ui/difference-html.ts'
import { differenceMarkdown, renderDifference } from '../../src/lib/ui/difference-text.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

const app = 'kubernetes/clusters/east/apps/web/app'
const state = `${app}/state.yaml`

const document = (apiVersion: string, kind: string, name: string, rest: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`
const claim = (rest = '', size = '10Gi') =>
  document(
    'v1',
    'PersistentVolumeClaim',
    'data',
    `${rest}spec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: ${size}}}\n`,
  )
const kept = '  annotations:\n    kustomize.toolkit.fluxcd.io/prune: disabled\n'
const deployment = (image: string, selector = 'a') =>
  document(
    'apps/v1',
    'Deployment',
    'server',
    `spec:\n  selector: {matchLabels: {app: ${selector}}}\n  template:\n    metadata: {labels: {app: ${selector}}}\n    spec:\n      containers:\n        - {name: sidecar, image: "ghcr.io/a/sidecar:1.0.0"}\n        - {name: server, image: "${image}"}\n`,
  )
const policy = (peers: string) =>
  document(
    'cilium.io/v2',
    'CiliumNetworkPolicy',
    'server',
    `spec:\n  endpointSelector: {}\n  ingress:\n    - ${peers}\n`,
  )
const join_ = (...documents: string[]) => documents.join('---\n')

let root: string
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd: root })

function put(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
}
const edit = (file: string, from: string, to: string) =>
  put(file, readFileSync(join(root, file), 'utf8').replace(from, to))

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-diff-'))
  cpSync(join(projectRoot, 'test/fixtures/repo'), root, { recursive: true })
  edit(`${app}/kustomization.yaml`, 'resources:\n', 'resources:\n  - state.yaml\n')
  git('init', '-q', '-b', 'main')
})
afterEach(() => rmSync(root, { recursive: true }))

function commit(): void {
  git('add', '-A')
  git('commit', '-q', '-m', 'x')
}

async function compare(live?: KubePort): Promise<DifferenceText> {
  const { text } = await compareRevisions({
    repository: await loadRepository(root),
    range: 'HEAD',
    clusters: ['east'],
    env: offline,
    signal: new AbortController().signal,
    ...(live ? { live: async () => live } : {}),
  })
  return text
}

const pairs: Record<string, { before: string; after: string; also?: () => void }> = {
  'an image and a claim that grows': {
    before: join_(claim(), deployment('ghcr.io/a/server:1.0.0')),
    after: join_(claim('', '20Gi'), deployment('ghcr.io/a/server:1.1.0')),
  },
  'a claim removed': {
    before: join_(claim(), policy('fromEntities: [cluster]')),
    after: policy('fromEntities: [cluster]'),
  },
  'a claim removed that is never pruned': { before: join_(claim(kept), deployment('a:1')), after: deployment('a:1') },
  'fields that cannot be changed, and protection lost': {
    before: join_(claim(kept, '20Gi'), deployment('a:1')),
    after: join_(claim('', '10Gi'), deployment('a:1', 'b')),
  },
  'a policy opened': { before: policy('fromEndpoints: [{}]'), after: policy('fromEntities: [all]') },
  'a release upgraded whose chart cannot be had, and a Kustomization suspended': {
    before: claim(),
    after: claim(kept),
    also: () => {
      edit('kubernetes/infrastructure/controllers/cert/cert-manager/app/ocirepository.yaml', 'v1.20.2', 'v1.20.3')
      edit('kubernetes/clusters/east/apps/web/ks.yaml', 'spec:\n', 'spec:\n  suspend: true\n')
    },
  },
  'something broken: nothing below it is said to be deleted': {
    before: join_(claim(), deployment('a:1')),
    after: 'kind: [',
  },
}

describe('a pair of commits', () => {
  test.each(Object.entries(pairs))('%s', async (name, { before, after, also }) => {
    put(state, before)
    commit()
    put(state, after)
    also?.()
    const difference = await compare()
    const stable = (text: string) =>
      text.replaceAll(root, '<root>').replaceAll(/k8sops-(commit|build)-\w+/g, '<temporary>')
    await expect(stable(renderDifference(difference))).toMatchFileSnapshot(
      `../golden/diff/${name.replaceAll(/[^a-z]+/g, '-')}.txt`,
    )
    expect(differenceMarkdown(difference)).toContain('| east |')
    expect(differenceHtml(difference)).toContain('<h2>east</h2>')
  })
})

test('nothing at all', async () => {
  put(state, claim())
  commit()
  const { clusters, dangers } = await compare()
  expect({ owners: clusters[0]?.owners, dangers }).toEqual({ owners: [], dangers: [] })
})

test('with the live state: what is not there, or is protected there, is not deleted', async () => {
  put(
    state,
    join_(
      claim(),
      deployment('a:1'),
      document('v1', 'ConfigMap', 'gone', 'data: {}\n'),
      document('v1', 'ConfigMap', 'rest', 'data: {}\n'),
    ),
  )
  commit()
  put(state, document('v1', 'ConfigMap', 'rest', 'data: {}\n'))
  const there = (metadata: object) => [{ apiVersion: 'v1', kind: 'x', metadata }] as KubeObject[]
  const cluster = {
    list: async ({ kind, name }: { kind: string; name?: string }) => {
      if (kind === 'PersistentVolumeClaim')
        return { ok: true, value: there({ name, annotations: { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' } }) }
      return kind === 'Deployment' ? { ok: true, value: there({ name }) } : { ok: true, value: [] }
    },
  } as unknown as KubePort
  const { clusters } = await compare(cluster)
  expect(clusters[0]?.deletions).toEqual({
    wouldDelete: ['Deployment web/server'],
    stays: [
      { object: 'ConfigMap web/gone', reason: 'is not in the cluster' },
      { object: 'PersistentVolumeClaim web/data', reason: 'prune disabled in the cluster' },
    ],
  })
})

test('a comment stays within what GitHub takes, and says what it left out', async () => {
  const objects = Array.from({ length: 3000 }, (_, index) => ({
    change: 'added' as const,
    object: `ConfigMap ns/${'x'.repeat(40)}${index}`,
    fields: [],
  }))
  const owners = Array.from({ length: 30 }, (_, index) => ({
    owner: `Kustomization ns/${index}`,
    objects: objects.slice(index * 100, index * 100 + 100),
  }))
  const cluster = {
    cluster: 'east',
    added: 3000,
    changed: 0,
    removed: 0,
    owners,
    unknown: [],
    images: [],
    restarts: [],
    deletions: { wouldDelete: [], stays: [] },
  }
  const text = differenceMarkdown({ base: 'a', head: 'b', clusters: [cluster], dangers: [] })
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_536)
  expect(text).toMatch(/_\d+ more blocks do not fit: see the report\._/)
  expect(text.split('<details>').length).toBe(text.split('</details>').length)
})
