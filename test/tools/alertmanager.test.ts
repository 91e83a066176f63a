/** Silences, held against Alertmanager itself; and the server that unit tests have in its place is held to the same. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSilencePort } from '../../src/lib/tools/alertmanager.ts'
import { type StoredSilence, startAlertmanager } from '../helpers/alertmanager.ts'
import { eventually } from '../helpers/lab.ts'
import { tool } from '../helpers/talos-fleet.ts'

interface Server {
  url: string
  close: () => Promise<void>
}

async function startReal(): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), 'k8sops-alertmanager-'))
  writeFileSync(join(dir, 'config.yaml'), 'route: { receiver: none }\nreceivers: [{ name: none }]\n')
  const listen = `127.0.0.1:${await freePort()}`
  const args = ['--config.file=config.yaml', '--storage.path=data', `--web.listen-address=${listen}`]
  const child = spawn(tool('alertmanager'), [...args, '--cluster.listen-address='], { cwd: dir, stdio: 'ignore' })
  const url = `http://${listen}`
  const answers = async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true
  await eventually(answers, (ready) => ready, 20)
  return {
    url,
    async close() {
      child.kill('SIGKILL')
      await once(child, 'exit')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

describe.each([
  ['alertmanager', startReal],
  ['the server of the unit tests', startAlertmanager],
])('%s', (_, start: () => Promise<Server>) => {
  let server: Server
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.close())

  const request = { matchers: ['cluster="apps"', 'severity=~"warning|info"'], by: 'me', comment: 'a test' }
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)
  const silenced = async (id?: string) => {
    const set = await createSilencePort(server.url).set({ ...request, until: inSeconds(60), ...(id ? { id } : {}) })
    if (!set.ok) throw new Error(set.detail)
    return set.value
  }
  const stored = async (id: string) =>
    (await (await fetch(`${server.url}/api/v2/silence/${id}`)).json()) as StoredSilence & { status: { state: string } }

  it('keeps a silence as it was asked for, and moves its end when it is renewed', async () => {
    const id = await silenced()
    const made = await stored(id)
    expect(made).toMatchObject({
      status: { state: 'active' },
      createdBy: 'me',
      comment: 'a test',
      matchers: [
        { name: 'cluster', value: 'apps', isRegex: false, isEqual: true },
        { name: 'severity', value: 'warning|info', isRegex: true, isEqual: true },
      ],
    })
    expect(await silenced(id)).toBe(id)
    const renewed = await stored(id)
    expect(renewed.startsAt).toBe(made.startsAt)
    expect(Date.parse(renewed.endsAt)).toBeGreaterThan(Date.parse(made.endsAt))
  })

  it('ends it, once and again; then there comes another one', async () => {
    const id = await silenced()
    const port = createSilencePort(server.url)
    for (let times = 0; times < 2; times++) expect(await port.end(id)).toEqual({ ok: true, value: undefined })
    expect((await stored(id)).status.state).toBe('expired')
    expect(await silenced(id)).not.toBe(id)
  })

  it('of one that it has forgotten nothing is left to end, and another one is made', async () => {
    const forgotten = '6f1c1a5e-0b7e-4d38-9a55-0c1f2a3b4c5d'
    expect(await createSilencePort(server.url).end(forgotten)).toEqual({ ok: true, value: undefined })
    expect(await silenced(forgotten)).not.toBe(forgotten)
  })

  it.each([
    ['an end in the past', { until: inSeconds(-60) }, 400],
    ['nothing to silence', { matchers: [] }, 422],
    ['a comment that is missing', { comment: undefined as unknown as string }, 422],
  ])('refuses %s', async (__, wrong, status) => {
    const asked = { ...request, until: inSeconds(60), ...wrong }
    const set = await createSilencePort(server.url).set(asked)
    expect(set).toMatchObject({ ok: false, why: 'failed', detail: expect.stringContaining(`HTTP ${status}`) })
  })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  return port
}
