/** What goes without its soak, and what keeps everything: `rollout promote|hold|unhold|rollback|hotfix`, over a real git remote. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { gitIn } from '../helpers/git-server.ts'
import { proof } from '../helpers/proof.ts'
import { type RolloutWorld, startRolloutWorld } from '../helpers/rollout-world.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

let at: RolloutWorld
beforeEach(async () => {
  at = await startRolloutWorld()
})
afterEach(() => at.stop())

const fileAt = (branch: string, path: string) => at.server.git('show', `${branch}:kubernetes/${path}`)
const history = async () => {
  const { stdout } = await at.k8sops('rollout', 'history', '-o', 'json')
  return (
    JSON.parse(stdout) as {
      items: { to: string; from: string; kind: string; reason: string | null; unsoaked: string[] }[]
    }
  ).items
}
const status = async () => JSON.parse((await at.k8sops('rollout', 'status', '--fast', '-o', 'json')).stdout)

describe('promote', () => {
  it('refuses what has not soaked, says what, and takes it with a reason that stays', async () => {
    const sha = await at.commit('Raise the limit')
    await at.soak(2)
    const refused = await at.k8sops('rollout', 'promote')
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('Raise the limit: soaked 2 h of 24 h')
    expect((await at.k8sops('rollout', 'promote', '--now')).code).toBe(2)
    const unasked = await at.k8sops('rollout', 'promote', '--now', '--reason', 'CVE')
    expect(unasked.code).toBe(2)
    expect(unasked.stderr).toContain('though a commit has not soaked?')
    expect(await at.tip('release')).not.toBe(sha)

    const ended = await at.k8sops('rollout', 'promote', '--now', '--reason', 'CVE-2026-1234', '--yes')
    expect(ended.code, ended.stderr).toBe(0)
    expect(await at.tip('release')).toBe(sha)
    expect(await history()).toMatchObject([
      { to: sha, kind: 'override', reason: 'CVE-2026-1234', unsoaked: [expect.stringContaining('soaked 2 h of 24 h')] },
    ])
    const verified = await at.k8sops('rollout', 'verify', sha)
    expect(verified.code).toBe(0)
    expect(verified.stdout).toContain('CVE-2026-1234')
  })

  proof('lets go what has soaked, up to a commit', async () => {
    const first = await at.commit('First')
    await at.soak(24)
    // The tick let it go; a second and a third wait.
    expect(await at.tip('release')).toBe(first)
    const second = await at.commit('Second')
    await at.k8sops('rollout', 'tick')
    await at.commit('Third')
    const ended = await at.k8sops('rollout', 'promote', '--now', '--to', second, '--reason', 'needed', '--yes')
    expect(ended.code, ended.stderr).toBe(0)
    expect(await at.tip('release')).toBe(second)
    expect((await at.k8sops('rollout', 'promote', '--to', first)).code).toBe(2)
  })
})

describe('a hold', () => {
  it('lets nothing go while soaks go on, is in the list, and ends by itself', async () => {
    const sha = await at.commit('Raise the limit')
    await at.k8sops('rollout', 'tick')
    const held = await at.k8sops('rollout', 'hold', '--for', '30h', '--reason', 'month end')
    expect(held.code, held.stderr).toBe(0)
    const { stdout } = await at.k8sops('holds', 'list', '-o', 'json')
    expect(JSON.parse(stdout).items).toMatchObject([{ kind: 'rollout', name: 'rollout', reason: 'month end' }])
    expect((await at.k8sops('holds', 'release', 'rollout')).stderr).toContain('rollout unhold')

    const kept = await at.soak(24)
    expect(kept.code, kept.stderr).toBe(0)
    expect(kept.stderr).toContain('month end')
    expect(await at.tip('release')).not.toBe(sha)
    expect((await status()).items[0].soakedSec).toBe(24 * 3600)
    expect((await at.k8sops('rollout', 'promote', '--now', '--reason', 'x', '--yes')).code).toBe(3)

    at.hours(7)
    expect((await at.k8sops('rollout', 'tick')).code).toBe(0)
    expect(await at.tip('release')).toBe(sha)
    expect((await status()).hold).toBeNull()
  })

  proof('ends when its owner says so', async () => {
    const sha = await at.commit('Raise the limit')
    await at.k8sops('rollout', 'hold', '--for', '90h')
    await at.soak(24)
    expect((await at.k8sops('rollout', 'unhold')).code).toBe(0)
    at.hours(1)
    await at.k8sops('rollout', 'tick')
    expect(await at.tip('release')).toBe(sha)
  })
})

describe('a roll-back', () => {
  it('brings back what both clusters ran, by moving both branches forward', async () => {
    await at.commit('Break the limit', { 'kubernetes/memory.yaml': 'limit: broken\n' })
    await at.soak(24)
    const waiting = await at.commit('Something else', { 'kubernetes/else.yaml': 'else\n' })
    const bad = await at.tip('release')
    expect(await fileAt('release', 'memory.yaml')).toBe('limit: broken')
    const unasked = await at.k8sops('rollout', 'rollback', '--reason', 'odoo does not start')
    expect(unasked.code).toBe(2)
    expect(unasked.stderr).toContain('takes back')
    const ended = await at.k8sops('rollout', 'rollback', '--reason', 'odoo does not start', '--yes')
    expect(ended.code, ended.stderr).toBe(0)
    expect([await fileAt('release', 'memory.yaml'), await fileAt('main', 'memory.yaml')]).toEqual([
      'limit: 1',
      'limit: 1',
    ])
    expect(await fileAt('main', 'else.yaml')).toBe('else')
    // Neither branch was forced.
    await at.server.git('merge-base', '--is-ancestor', bad, 'release')
    await at.server.git('merge-base', '--is-ancestor', waiting, 'main')
    expect((await history())[0]).toMatchObject({ kind: 'rollback', from: bad, reason: 'odoo does not start' })
    expect(await status()).toMatchObject({ blocked: [] })
  })

  proof(
    'goes while the clusters behind are not Ready on what was released, and says so when main needs a person',
    async () => {
      await at.commit('Break the limit', { 'kubernetes/memory.yaml': 'limit: broken\n' })
      await at.soak(23)
      at.apps.kept = true
      at.hours(1)
      expect((await at.k8sops('rollout', 'tick', '--wait', '1s')).code).toBe(6)
      await at.commit('Another limit', { 'kubernetes/memory.yaml': 'limit: 3\n' })
      at.apps.kept = false
      const from = await at.server.git('rev-parse', 'release~1')
      const ended = await at.k8sops('rollout', 'rollback', '--to', from, '--reason', 'it breaks', '--yes')
      expect(ended.code, ended.stderr).toBe(0)
      expect(ended.stderr).toContain('main needs a person to take it in')
      expect(await fileAt('release', 'memory.yaml')).toBe('limit: 1')
      expect((await status()).blocked[0]).toContain('main lacks what is on release')
    },
  )
})

describe('a hotfix', () => {
  /** A change of Cilium waits on main, 10 h old; the memory fix is reviewed on its branch. */
  async function fixed(): Promise<string> {
    await at.commit('Upgrade Cilium', { 'kubernetes/cilium.yaml': 'version: 2\n' })
    await at.soak(10)
    const started = await at.k8sops('rollout', 'hotfix', 'start', 'odoo-memory')
    expect(started.code, started.stderr).toBe(0)
    await gitIn(at.clone, 'fetch', '--quiet', 'origin')
    await gitIn(at.clone, 'switch', '--quiet', 'hotfix/odoo-memory')
    await gitIn(at.clone, 'rm', '--quiet', 'kubernetes/memory.yaml')
    await gitIn(at.clone, 'commit', '--quiet', '--message', 'Lift the limit of odoo')
    await gitIn(at.clone, 'push', '--quiet', 'origin', 'hotfix/odoo-memory')
    return gitIn(at.clone, 'rev-parse', 'HEAD')
  }

  it('is on the next cluster at once, that very commit and nothing that waits; what waits keeps its soak', async () => {
    const fix = await fixed()
    const ended = await at.k8sops('rollout', 'hotfix', 'land', 'odoo-memory', '--reason', 'odoo is killed', '--yes')
    expect(ended.code, ended.stderr).toBe(0)
    expect(await at.tip('release')).toBe(fix)
    expect(at.apps.revision).toBe(fix)
    expect(await fileAt('release', 'cilium.yaml')).toBe('version: 1')
    expect(await fileAt('main', 'cilium.yaml')).toBe('version: 2')
    await expect(fileAt('main', 'memory.yaml')).rejects.toThrow()
    const merge = await at.tip('main')
    expect(at.infra.revision).toBe(merge)
    expect(await at.server.git('log', '-1', '--format=%P', merge)).toContain(fix)

    await at.soak(14)
    // 10 h before the merge and 14 h after it.
    expect(await at.tip('release')).toBe(merge)
    expect(await fileAt('release', 'cilium.yaml')).toBe('version: 2')
    expect((await at.k8sops('rollout', 'verify', merge)).code).toBe(0)
    expect((await history()).map(({ kind }) => kind)).toEqual(['soaked', 'hotfix'])
  })

  proof('lands also while the rollout is held', async () => {
    const fix = await fixed()
    await at.k8sops('rollout', 'hold', '--reason', 'month end')
    const ended = await at.k8sops('rollout', 'hotfix', 'land', 'odoo-memory', '--reason', 'odoo is killed', '--yes')
    expect(ended.code, ended.stderr).toBe(0)
    expect(await at.tip('release')).toBe(fix)
  })

  proof('that does not follow from the release is refused', async () => {
    const fix = await fixed()
    await at.k8sops('rollout', 'promote', '--now', '--reason', 'needed', '--yes')
    const refused = await at.k8sops('rollout', 'hotfix', 'land', 'odoo-memory', '--reason', 'x', '--yes')
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('git rebase origin/release')
    expect(await at.tip('release')).not.toBe(fix)
  })

  proof('soaks with the merge that takes it back only when something was put into that by hand', async () => {
    const fix = await fixed()
    await gitIn(at.clone, 'push', '--quiet', 'origin', `${fix}:release`)
    const merged = async (files: string) => {
      await gitIn(at.clone, 'switch', '--quiet', '--force-create', 'main', 'origin/main')
      await gitIn(at.clone, 'merge', '--quiet', '--no-commit', '--no-ff', fix)
      if (files) await gitIn(at.clone, 'mv', 'kubernetes/cilium.yaml', files)
      await gitIn(at.clone, 'commit', '--quiet', '--message', 'Merge the hotfix')
      await gitIn(at.clone, 'push', '--quiet', '--force', 'origin', 'main')
      return (await status()).items.at(-1).requiredSec
    }
    await gitIn(at.clone, 'fetch', '--quiet', 'origin')
    expect(await merged('kubernetes/elsewhere.yaml')).toBe(86_400)
    await gitIn(at.clone, 'push', '--quiet', '--force', 'origin', 'main~1:main')
    await gitIn(at.clone, 'fetch', '--quiet', 'origin')
    expect(await merged('')).toBe(0)
  })

  it('that was cut off between the branches is brought to its end by the next tick', async () => {
    const fix = await fixed()
    const hook = join(at.server.path, 'hooks/update')
    writeFileSync(hook, '#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo "main is protected" >&2; exit 1; }\n', {
      mode: 0o755,
    })
    const stopped = await at.k8sops('rollout', 'hotfix', 'land', 'odoo-memory', '--reason', 'odoo is killed', '--yes')
    expect(stopped.code).toBe(6)
    expect(stopped.stderr).toContain('main is protected')
    expect(await at.tip('release')).toBe(fix)
    rmSync(hook)
    const ended = await at.k8sops('rollout', 'tick')
    expect(ended.code, ended.stderr).toBe(0)
    await at.server.git('merge-base', '--is-ancestor', fix, 'main')
    expect((await history())[0]).toMatchObject({ kind: 'hotfix', to: fix, reason: 'odoo is killed' })
  })
})
