/**
 * A rollout over two clusters at once, with the real Flux controllers and a real git remote: with K8SOPS_TEST_FULL=1. Always run: the same command
 * line over a real git remote and played clusters, and the clock's properties (test/unit/rollout), and the record on a real API server
 * (test/tools/rollout-record.test.ts).
 */
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { gitIn } from '../../helpers/git-server.ts'
import { boundaries } from '../../helpers/kill.ts'
import { proof } from '../../helpers/proof.ts'
import {
  anotherClone,
  dieAtBoundary,
  type RolloutClusters,
  startRolloutClusters,
} from '../../helpers/rollout-clusters.ts'
import { full } from '../../helpers/seed.ts'

const settings = (name: string, value: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { value },
    ...more,
  })
const kustomization = (name: string) =>
  JSON.stringify({
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'flux-system' },
    spec: {
      interval: '1h',
      retryInterval: '2s',
      timeout: '1m',
      path: `kubernetes/${name}`,
      prune: true,
      wait: true,
      sourceRef: { kind: 'GitRepository', name: 'flux-system' },
    },
  })
const of = (name: string) => `kubernetes/${name}/settings.yaml`

let at: RolloutClusters
beforeAll(async () => {
  if (!full) return
  at = await startRolloutClusters({
    'kubernetes/flux/kustomization.yaml': JSON.stringify({ resources: ['entry.yaml'] }),
    'kubernetes/flux/entry.yaml': [kustomization('odoo'), kustomization('cilium')].join('\n---\n'),
    'kubernetes/odoo/kustomization.yaml': JSON.stringify({ resources: ['settings.yaml'] }),
    'kubernetes/cilium/kustomization.yaml': JSON.stringify({ resources: ['settings.yaml'] }),
    [of('odoo')]: settings('odoo', '1'),
    [of('cilium')]: settings('cilium', '1'),
  })
  const begin = await at.tip('main')
  await Promise.all([at.untilLive('infra', begin), at.untilLive('apps', begin)])
}, 480_000)
afterAll(() => at?.stop())

const ok = ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }, wanted = 0) =>
  expect(code, stdout + stderr).toBe(wanted)
const history = async () =>
  JSON.parse((await at.k8sops('rollout', 'history', '-o', 'json')).stdout).items as {
    kind: string
    to: string
    reason: string | null
  }[]

describe('from infra to apps', () => {
  proof('a commit is live on infra, soaks, and is let go once by two ticks at once from two checkouts', async () => {
    const sha = await at.commit('Raise the memory of odoo', { [of('odoo')]: settings('odoo', '2') })
    await at.untilLive('infra', sha)
    expect([await at.value('infra', 'odoo'), await at.value('apps', 'odoo')]).toEqual(['2', '1'])
    ok(await at.soak(23))
    expect(await at.tip('release')).not.toBe(sha)
    const status = await at.k8sops('rollout', 'status', '--fast', '-o', 'json')
    expect(JSON.parse(status.stdout).items).toMatchObject([{ commit: sha, soakedSec: 23 * 3600 }])

    at.hours(1)
    const other = await anotherClone(at, 'other')
    const ended = await Promise.all([at.k8sops('rollout', 'tick'), at.elsewhere(other, 'rollout', 'tick')])
    const codes = ended.map(({ code }) => code).toSorted()
    expect(codes[0], ended.map(({ stderr }) => stderr).join('\n')).toBe(0)
    expect([0, 3, 5]).toContain(codes[1])
    expect(await at.tip('release')).toBe(sha)
    // It was waited for.
    expect(await at.value('apps', 'odoo')).toBe('2')
    expect(await history()).toMatchObject([{ kind: 'soaked', to: sha }])
    ok(await at.elsewhere(await anotherClone(at, 'third'), 'rollout', 'verify', sha))
  })

  proof('one that breaks infra never comes, and goes with what repairs it', async () => {
    const bad = await at.commit('Break odoo', {
      [of('odoo')]: settings('odoo', '3', { data: { value: { not: 'text' } } }),
    })
    await at.infra.untilReady('kustomization', 'odoo', /^False/)
    ok(await at.soak(32))
    expect(await at.tip('release')).not.toBe(bad)
    const good = await at.commit('Repair odoo', { [of('odoo')]: settings('odoo', '3') })
    await at.untilLive('infra', good)
    at.hours(1)
    ok(await at.soak(24))
    expect(await at.tip('release')).toBe(good)
    expect(await at.value('apps', 'odoo')).toBe('3')
  })

  proof('journey 2: a memory fix is live on apps in minutes, and the unsoaked Cilium that waits is not', async () => {
    const cilium = await at.commit('Upgrade Cilium', { [of('cilium')]: settings('cilium', '2') })
    await at.untilLive('infra', cilium)
    at.hours(1)
    ok(await at.soak(8))
    const began = performance.now()
    ok(await at.k8sops('rollout', 'hotfix', 'start', 'odoo-memory'))
    await gitIn(at.clone, 'fetch', '--quiet', 'origin')
    await gitIn(at.clone, 'switch', '--quiet', 'hotfix/odoo-memory')
    const { writeFile } = await import('node:fs/promises')
    await writeFile(`${at.clone}/${of('odoo')}`, settings('odoo', '4'))
    await gitIn(at.clone, 'commit', '--quiet', '--all', '--message', 'Raise the limit of odoo')
    await gitIn(at.clone, 'push', '--quiet', 'origin', 'hotfix/odoo-memory')
    const fix = await gitIn(at.clone, 'rev-parse', 'HEAD')
    ok(
      await at.k8sops('rollout', 'hotfix', 'land', 'odoo-memory', '--reason', 'odoo is killed for its memory', '--yes'),
    )
    expect((performance.now() - began) / 1000).toBeLessThan(300)
    expect(await at.tip('release')).toBe(fix)
    expect([await at.value('apps', 'odoo'), await at.value('apps', 'cilium')]).toEqual(['4', '1'])
    const merge = await at.tip('main')
    await at.untilLive('infra', merge)
    expect([await at.value('infra', 'odoo'), await at.value('infra', 'cilium')]).toEqual(['4', '2'])
    // The eight hours that Cilium had earned go on.
    ok(await at.soak(16))
    expect(await at.tip('release')).toBe(merge)
    expect(await at.value('apps', 'cilium')).toBe('2')
  })

  proof('a roll-back restores both clusters within five minutes (NFR40)', async () => {
    const began = performance.now()
    ok(await at.k8sops('rollout', 'rollback', '--reason', 'pods lose their network', '--yes'))
    expect(await at.value('apps', 'cilium')).toBe('1')
    await at.untilLive('infra', await at.tip('main'))
    expect(await at.value('infra', 'cilium')).toBe('1')
    expect((performance.now() - began) / 1000).toBeLessThan(300)
    expect((await history())[0]).toMatchObject({ kind: 'rollback', reason: 'pods lose their network' })
  })
})

describe('killed', () => {
  proof(
    'at every boundary of a promotion, one after the other: the release moves once, and is told of once',
    async () => {
      const before = await at.tip('release')
      const sha = await at.commit('Raise the memory of odoo again', { [of('odoo')]: settings('odoo', '6') })
      await at.untilLive('infra', sha)
      at.hours(1)
      ok(await at.soak(23))
      expect(await at.tip('release')).toBe(before)
      at.hours(1)
      const boundary = boundaries()
      let ended = await dieAtBoundary(at, boundary, 'rollout', 'tick')
      let kills = 0
      // As its CronJob does: the next tick, from the beginning.
      for (; ended.code === undefined && kills < 100; kills += 1) {
        expect([before, sha]).toContain(await at.tip('release'))
        ended = await dieAtBoundary(at, boundary, 'rollout', 'tick')
      }
      expect(ended.code, ended.told).toBe(0)
      expect(kills).toBe(boundary.used().length)
      expect(kills).toBeGreaterThan(10)
      boundary.remove()
      expect(await at.tip('release')).toBe(sha)
      expect(await at.value('apps', 'odoo')).toBe('6')
      expect((await history()).filter(({ to }) => to === sha)).toMatchObject([{ kind: 'soaked', to: sha }])
      ok(await at.elsewhere(await anotherClone(at, 'fourth'), 'rollout', 'verify', sha))
      // Nothing is left to go on with, and nobody is shut out.
      ok(await at.k8sops('rollout', 'tick'))
      expect((await history()).filter(({ to }) => to === sha)).toHaveLength(1)
    },
  )
})

describe('what stands in the way', () => {
  proof('a node that is not Ready in hour 23 stops the clock; an override is recorded', async () => {
    const sha = await at.commit('Another change', { [of('odoo')]: settings('odoo', '5') })
    await at.untilLive('infra', sha)
    at.hours(1)
    ok(await at.soak(22))
    const { kubectl } = at.infra.cluster
    // kwok's stage looks at the annotations once per gen (lab/stages/node.yaml), as the lab's machines set them.
    const report = (ready: string, gen: string) =>
      kubectl('annotate', '--overwrite', 'node', 'worker1', `lab.k8sops/ready=${ready}`, `lab.k8sops/gen=${gen}`)
    await report('False', '2')
    await at.infra.cluster.until(
      'the node is not Ready',
      async () =>
        (await kubectl('get', 'node', 'worker1', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')) !==
        'True',
    )
    at.hours(1)
    ok(await at.k8sops('rollout', 'tick'))
    await report('True', '3')
    await kubectl('wait', '--for=condition=Ready', 'node/worker1', '--timeout=60s')
    at.hours(1)
    ok(await at.k8sops('rollout', 'tick'))
    expect(await at.tip('release')).not.toBe(sha)
    ok(await at.k8sops('rollout', 'promote', '--now', '--reason', 'the node was replaced', '--yes'))
    expect((await history())[0]).toMatchObject({ kind: 'override', to: sha, reason: 'the node was replaced' })
    expect(await at.value('apps', 'odoo')).toBe('5')
  })

  proof(
    'a hold is in the list and keeps everything; a release that somebody forced elsewhere is never moved',
    async () => {
      ok(await at.k8sops('rollout', 'hold', '--for', '2h', '--reason', 'month end'))
      expect((await at.k8sops('holds', 'list', '-o', 'json')).stdout).toContain('month end')
      ok(await at.k8sops('rollout', 'unhold'))
      const release = await at.tip('release')
      const elsewhere = await at.server.git('rev-parse', 'release~2')
      await at.server.git('update-ref', 'refs/heads/release', elsewhere)
      at.hours(1)
      ok(await at.k8sops('rollout', 'tick'), 6)
      expect(await at.tip('release')).toBe(elsewhere)
      await at.server.git('update-ref', 'refs/heads/release', release)
      ok(await at.k8sops('rollout', 'tick'))
    },
  )
})
