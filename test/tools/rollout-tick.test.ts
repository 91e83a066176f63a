/** `rollout tick|status|history|verify` from argv to the remote's branches, over a real git remote and a virtual clock. */
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { KubeObject } from '../../src/lib/types.ts'
import { gitIn } from '../helpers/git-server.ts'
import { proof } from '../helpers/proof.ts'
import { type RolloutWorld, startRolloutWorld } from '../helpers/rollout-world.ts'

// Each tick is a fetch, a push now and then, and some processes.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

let at: RolloutWorld
beforeEach(async () => {
  at = await startRolloutWorld()
})
afterEach(() => at.stop())

const status = async () => {
  const { stdout } = await at.k8sops('rollout', 'status', '--fast', '-o', 'json')
  return JSON.parse(stdout) as {
    items: { commit: string; soakedSec: number; waits: string[]; stopped: { kind: string } | null }[]
    blocked: string[]
    promote: string | null
  }
}
/** A commit that has soaked for so many hours. */
async function soaking(hours: number): Promise<string> {
  const sha = await at.commit('Raise the limit')
  await at.soak(hours)
  return sha
}

describe('a commit', () => {
  it('goes on to the next cluster once it has soaked, with its evidence', async () => {
    const sha = await soaking(23)
    expect(await at.tip('release')).not.toBe(sha)
    expect((await status()).items[0]).toMatchObject({
      commit: sha,
      soakedSec: 23 * 3600,
      waits: ['soaked 23 h of 24 h'],
    })
    at.hours(1)
    const ended = await at.k8sops('rollout', 'tick')
    expect(ended.code, ended.stderr).toBe(0)
    expect(await at.tip('release')).toBe(sha)
    expect(at.apps.revision).toBe(sha)

    const verified = await at.k8sops('rollout', 'verify', sha, '-o', 'json')
    expect(verified.code, verified.stdout).toBe(0)
    expect(JSON.parse(verified.stdout)).toMatchObject({ verified: true, items: [{ commit: sha, soakedSec: 86_400 }] })
    const { stdout } = await at.k8sops('rollout', 'history', '-o', 'json')
    expect(JSON.parse(stdout).items).toMatchObject([{ to: sha, kind: 'soaked', looks: 5 }])
    expect(await status()).toMatchObject({ items: [], blocked: [] })
  })

  it('goes on from a fresh checkout on another machine, which knows all of it', async () => {
    const sha = await soaking(23)
    const other = join(at.clone, '../other')
    await gitIn(join(at.clone, '..'), 'clone', '--quiet', at.server.url, other)
    at.hours(1)
    const ended = await at.elsewhere(other, 'rollout', 'tick')
    expect(ended.code, ended.stderr).toBe(0)
    expect(await at.tip('release')).toBe(sha)
    expect((await at.k8sops('rollout', 'verify', sha)).stdout).toMatch(/^[0-9a-f]{9}: verified/)
  })

  it('goes once when two ticks come at once from two places', async () => {
    const sha = await soaking(23)
    const other = join(at.clone, '../other')
    await gitIn(join(at.clone, '..'), 'clone', '--quiet', at.server.url, other)
    at.hours(1)
    const ended = await Promise.all([at.k8sops('rollout', 'tick'), at.elsewhere(other, 'rollout', 'tick')])
    // The other one is locked out (5), or finds that somebody has written meanwhile (3).
    const codes = ended.map(({ code }) => code).toSorted()
    expect(codes[0], ended.map(({ stderr }) => stderr).join('\n')).toBe(0)
    expect([0, 3, 5]).toContain(codes[1])
    expect(await at.tip('release')).toBe(sha)
    const { stdout } = await at.k8sops('rollout', 'history', '-o', 'json')
    expect(JSON.parse(stdout).items).toHaveLength(1)
  })
})

const node = (ready: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1' },
  status: { conditions: [{ type: 'Ready', status: ready, reason: 'NodeStatusUnknown' }] },
})
const pod = (restartCount: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-1', namespace: 'business' },
  status: { containerStatuses: [{ restartCount }] },
})
const release = (): KubeObject => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: 'cilium', namespace: 'kube-system', generation: 1 },
  spec: {},
  status: {
    observedGeneration: 1,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'RollbackSucceeded', message: 'rolled back' },
      { type: 'Remediated', status: 'True', reason: 'RollbackSucceeded' },
    ],
    history: [{ status: 'deployed', chartVersion: '1.18.2' }],
  },
})
const failedKustomization = (one: KubeObject): KubeObject => ({
  ...one,
  status: {
    ...one.status,
    conditions: [{ type: 'Ready', status: 'False', reason: 'HealthCheckFailed', message: 'timeout' }],
  },
})

/** What goes wrong for an hour, and how it is seen. */
const regressions: Record<
  string,
  { kind: string; begin: (at: RolloutWorld) => void | Promise<void>; end: (at: RolloutWorld) => void }
> = {
  'a Kustomization that is not Ready': {
    kind: 'kustomization',
    begin: ({ infra }) => void Object.assign(infra, { shown: failedKustomization }),
    end: ({ infra }) => void Object.assign(infra, { shown: (one: KubeObject) => one }),
  },
  'a HelmRelease that was rolled back': {
    kind: 'helmrelease',
    begin: ({ infra }) => void infra.objects.push(release()),
    end: ({ infra }) => void infra.objects.pop(),
  },
  'a burst of restarts': {
    kind: 'restarts',
    begin: ({ infra }) => void infra.objects.push(pod(5)),
    end: () => {},
  },
  'an alert': {
    kind: 'alert',
    begin: (world) => void Object.assign(world, { alerts: 'firing' }),
    end: (world) => void Object.assign(world, { alerts: 'quiet' }),
  },
  'a node that is not Ready': {
    kind: 'node',
    begin: ({ infra }) => void infra.objects.push(node('Unknown')),
    end: ({ infra }) => void infra.objects.pop(),
  },
}

// How much they take away, and when, is in clock.test.ts.
describe('what goes wrong', () => {
  for (const [what, { kind, begin, end }] of Object.entries(regressions))
    proof(`${what} stops the clock by itself`, async () => {
      const sha = await soaking(8)
      await begin(at)
      at.hours(1)
      const bad = await at.k8sops('rollout', 'tick')
      expect(bad.code, bad.stderr).toBe(0)
      end(at)
      at.hours(1)
      await at.k8sops('rollout', 'tick')
      expect(await at.tip('release')).not.toBe(sha)
      expect((await status()).items[0]).toMatchObject({ soakedSec: 0, stopped: { kind } })
    })

  proof('a time without any look stops it', async () => {
    const sha = await soaking(22)
    at.hours(9)
    await at.k8sops('rollout', 'tick')
    expect(await at.tip('release')).not.toBe(sha)
    expect((await status()).items[0]).toMatchObject({ soakedSec: 22 * 3600, stopped: { kind: 'gap' } })
  })

  proof('evidence for another commit stops it', async () => {
    const sha = await soaking(22)
    const earlier = await gitIn(at.clone, 'rev-parse', 'main~1')
    at.infra.revision = earlier
    at.hours(1)
    await at.k8sops('rollout', 'tick')
    at.infra.revision = sha
    at.hours(1)
    await at.k8sops('rollout', 'tick')
    expect(await at.tip('release')).not.toBe(sha)
    expect((await status()).items[0]).toMatchObject({ soakedSec: 0, stopped: { kind: 'other-commit' } })
  })

  proof('a cluster that does not answer is no evidence', async () => {
    const sha = await soaking(22)
    at.infra.away = true
    at.hours(1)
    expect((await at.k8sops('rollout', 'tick')).code).toBe(4)
    at.infra.away = false
    at.alerts = 'unknown'
    await at.soak(3)
    expect(await at.tip('release')).not.toBe(sha)
    at.alerts = 'quiet'
    at.hours(1)
    await at.soak(2)
    expect(await at.tip('release')).toBe(sha)
  })
})

describe('the release', () => {
  it('is never moved when somebody has forced it elsewhere, and the tick fails', async () => {
    await soaking(23)
    await gitIn(at.clone, 'checkout', '--quiet', '--orphan', 'stray')
    await gitIn(at.clone, 'commit', '--quiet', '--message', 'Stray')
    await gitIn(at.clone, 'push', '--quiet', '--force', 'origin', 'stray:release')
    const stray = await at.tip('release')
    at.hours(1)
    const ended = await at.k8sops('rollout', 'tick')
    expect(ended.code).toBe(6)
    expect(ended.stderr).toContain('release was moved by force')
    expect(await at.tip('release')).toBe(stray)
    expect((await at.k8sops('rollout', 'status', '--fast')).code).toBe(3)
  })

  proof('is waited for until the next cluster is Ready on it, and nothing else goes meanwhile', async () => {
    const sha = await soaking(23)
    at.apps.kept = true
    at.hours(1)
    const stopped = await at.k8sops('rollout', 'tick', '--wait', '1s')
    expect(stopped.code).toBe(6)
    expect(await at.tip('release')).toBe(sha)
    const later = await at.commit('Another change')
    at.apps.kept = true
    for (let look = 0; look < 3; look += 1) {
      await at.k8sops('rollout', 'tick', '--wait', '1s')
      at.hours(8)
    }
    expect(await at.tip('release')).toBe(sha)
    expect((await status()).blocked).toEqual([`apps is not known to be Ready on ${sha.slice(0, 9)} yet`])
    at.apps.revision = sha
    at.apps.kept = false
    expect((await at.k8sops('rollout', 'tick')).code).toBe(0)
    expect((await at.k8sops('rollout', 'verify', sha)).code).toBe(0)
    at.hours(1)
    await at.soak(24)
    expect(await at.tip('release')).toBe(later)
  })
})

it('a run that was stopped while it waited goes on with `run resume`, and does nothing twice', async () => {
  await at.commit('Raise the limit')
  await at.k8sops('rollout', 'tick')
  at.apps.kept = true
  const stopped = await at.k8sops('rollout', 'promote', '--now', '--reason', 'CVE', '--yes', '--wait', '1s')
  expect(stopped.code).toBe(6)
  const [, id = ''] = /k8sops run resume (\S+)/.exec(stopped.stdout + stopped.stderr) ?? []
  const sha = await at.tip('release')
  at.apps.revision = sha
  const resumed = await at.k8sops('run', 'resume', id, '--cluster', 'infra')
  expect(resumed.code, resumed.stderr).toBe(0)
  expect((await at.k8sops('rollout', 'verify', sha)).code).toBe(0)
  expect(await status()).toMatchObject({ blocked: [], items: [] })
  // Whoever resumes it once more finds everything done.
  expect(at.record().token).toMatch(/done$/)
})

it('a look is recorded once, however often its step is tried', async () => {
  await at.commit('Raise the limit')
  await at.soak(1)
  const before = at.record()
  const preview = await at.k8sops('rollout', 'tick', '--dry-run', '-o', 'json')
  expect(JSON.parse(preview.stdout).steps).toHaveLength(1)
  expect(at.record()).toEqual(before)
})
