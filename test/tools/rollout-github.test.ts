/** The check on a released commit: what is asked of GitHub's API, which a local server stands for, and that its token goes nowhere else. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { githubRepository } from '../../src/lib/tools/github.ts'
import { type RolloutWorld, startRolloutWorld } from '../helpers/rollout-world.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

it('finds the repository in the forms that a remote has', () => {
  const forms = [
    'git@github.com:o/r.git',
    'ssh://git@github.com/o/r.git',
    'ssh://git@github.com:22/o/r',
    'https://x@github.com/o/r/',
  ]
  expect(forms.map((url) => githubRepository(url))).toEqual(['o/r', 'o/r', 'o/r', 'o/r'])
  expect(githubRepository('https://gitlab.com/o/r.git')).toBeUndefined()
  expect(githubRepository('/srv/git/r.git')).toBeUndefined()
})

let at: RolloutWorld
let api: Server
let asked: { method: string; path: string; token: string; body: { [key: string]: unknown } }[]
let refused = false
beforeEach(async () => {
  asked = []
  refused = false
  api = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const { method = '', url = '', headers } = request
    asked.push({ method, path: url, token: headers.authorization ?? '', body: text ? JSON.parse(text) : {} })
    if (refused)
      return void response.writeHead(403).end('{"message":"Resource not accessible by personal access token"}')
    const runs = asked.filter((one) => one.method === 'POST').map(({ body }) => ({ external_id: body.external_id }))
    response.writeHead(method === 'POST' ? 201 : 200).end(JSON.stringify({ check_runs: runs }))
  })
  await new Promise<void>((resolve) => void api.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('GITHUB_TOKEN', 'ghs_0123456789abcdef')
  vi.stubEnv('GITHUB_API_URL', `http://127.0.0.1:${(api.address() as AddressInfo).port}`)
  vi.stubEnv('GITHUB_SERVER_URL', 'http://127.0.0.1')
  at = await startRolloutWorld()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  api.closeAllConnections()
  await Promise.all([at.stop(), new Promise((resolve) => void api.close(resolve))])
})

it('is put on the commit, with the digest of its attestation, and the token in no output', async () => {
  const sha = await at.commit('Raise the limit')
  await at.k8sops('rollout', 'tick')
  const ended = await at.k8sops('rollout', 'promote', '--now', '--reason', 'CVE', '--yes')
  expect(ended.code, ended.stderr).toBe(0)
  const { stdout } = await at.k8sops('rollout', 'history', '-o', 'json')
  const { digest } = JSON.parse(stdout).items[0] as { digest: string }
  const posts = asked.filter(({ method }) => method === 'POST')
  expect(posts).toMatchObject([
    {
      path: '/repos/owner/remote/check-runs',
      token: 'Bearer ghs_0123456789abcdef',
      body: { head_sha: sha, external_id: digest, conclusion: 'success' },
    },
  ])
  expect(JSON.stringify(posts[0]?.body)).toContain('Raise the limit')
  expect(ended.stdout + ended.stderr).not.toContain('ghs_')
})

it('that GitHub refuses fails the run, but the rollout is through', async () => {
  const sha = await at.commit('Raise the limit')
  await at.k8sops('rollout', 'tick')
  refused = true
  const ended = await at.k8sops('rollout', 'promote', '--now', '--reason', 'CVE', '--yes')
  expect(ended.code).toBe(6)
  expect(ended.stderr).toContain('Resource not accessible')
  expect(await at.tip('release')).toBe(sha)
  expect((await at.k8sops('rollout', 'verify', sha)).code).toBe(0)
  expect(JSON.parse((await at.k8sops('rollout', 'status', '--fast', '-o', 'json')).stdout)).toMatchObject({
    blocked: [],
    promotion: null,
  })
})
