/** The real vmagent while what it writes to is away: it keeps what it measures, over a restart of its own as well, and loses nothing. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { dig } from '../../src/lib/repo/fields.ts'
import { renderedObjects } from '../helpers/alert-rules.ts'
import { eventually } from '../helpers/lab.ts'
import { type Program, startProgram, startVictoriaMetrics } from '../helpers/victoria.ts'

/** The way to infra; while it is cut, connections are refused at once. */
async function startWay(to: string) {
  const [host = '', port = ''] = to.replace('http://', '').split(':')
  const open = new Set<Socket>()
  let cut = false
  const server = createServer((from) => {
    if (cut) return void from.destroy()
    const onward = connect(Number(port), host)
    for (const [one, other] of [
      [from, onward],
      [onward, from],
    ] as const) {
      open.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => open.delete(one) && other.destroy())
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      cut = true
      for (const socket of open) socket.destroy()
    },
    mend() {
      cut = false
    },
    close: () => server.close(),
  }
}

test('nothing that vmagent measures is lost while its target is away', async () => {
  const release = (await renderedObjects()).find(
    ({ kind, name, cluster }) => kind === 'HelmRelease' && name === 'cluster-metrics' && cluster === 'apps',
  )
  const settings = dig(release?.object, 'spec.values.vmagent.spec.remoteWriteSettings') as {
    maxDiskUsagePerURL: string
  }
  const metrics = await startVictoriaMetrics({}, ['-search.latencyOffset=0s'])
  const way = await startWay(metrics.url)
  const startAgent = (directory?: string): Promise<Program> =>
    startProgram(
      'vmagent',
      (listen) => [
        `-httpListenAddr=${listen}`,
        `-remoteWrite.url=${way.url}/api/v1/write`,
        '-remoteWrite.tmpDataPath=queue',
        `-remoteWrite.maxDiskUsagePerURL=${settings.maxDiskUsagePerURL}`,
      ],
      directory === undefined ? {} : { directory },
    )
  let measured = 0
  /** Gives it samples, each of which it must have taken; a scrape that a busy machine delays would be none of its losses. */
  const measure = async (count: number) => {
    for (const last = measured + count; measured < last; ) {
      const body = `measured ${measured + 1} ${Date.now()}\n`
      const taken = await fetch(`${agent.url}/api/v1/import/prometheus`, { method: 'POST', body })
      expect(taken.status).toBe(204)
      measured++
      await delay(20)
    }
  }
  let agent = await startAgent()
  const stored = async () => {
    await fetch(`${metrics.url}/internal/force_flush`)
    const text = await (await fetch(`${metrics.url}/api/v1/export?match[]=measured`)).text()
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.flatMap((line) => (JSON.parse(line) as { values: number[] }).values).toSorted((a, b) => a - b)
  }
  const gauge = async (name: string) => {
    const text = await (await fetch(`${agent.url}/metrics`)).text()
    return [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    )
  }
  try {
    await measure(20)
    await eventually(stored, (values) => values.length === 20, 30)
    way.cut()
    await measure(200)
    // What the rules RemoteWriteStuck and RemoteWriteDrops look at.
    expect(
      await eventually(
        () => gauge('vmagent_remotewrite_pending_data_bytes'),
        (bytes) => bytes > 0,
        30,
      ),
    ).toBeGreaterThan(0)
    expect(await stored()).toHaveLength(20)

    await agent.stop('SIGTERM')
    agent = await startAgent(agent.directory)
    await measure(200)
    way.mend()

    const values = await eventually(stored, (all) => all.length >= measured, 60)
    expect(values).toEqual(Array.from({ length: 420 }, (_, index) => index + 1))
    expect(await gauge('vm_persistentqueue_bytes_dropped_total')).toBe(0)
    expect(await gauge('vmagent_remotewrite_packets_dropped_total')).toBe(0)
  } finally {
    await agent.close()
    await metrics.close()
    way.close()
  }
})
