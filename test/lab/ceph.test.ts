/** `k8sops ceph` on a cluster that is well, on one whose OSDs rest, and on one that is not well. Rook is played, all else is real. */
import { beforeAll, expect, it } from 'vitest'
import { boundaries, killAtBoundaries } from '../helpers/kill.ts'
import { eventually, inLab } from '../helpers/lab.ts'
import { type LabCli, labCli, statesOf, told, wellAgain } from '../helpers/lab-cli.ts'
import { full } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let lab: LabCli
beforeAll(async () => {
  const shared = await sharedLab()
  lab = labCli(shared.record, shared.env)
})

const node = 'apps-w1'
interface Row {
  name: string
  state: string
  summary: string
  reasons: string[]
  facts: Record<string, unknown>
}
const status = async () => {
  const ended = await lab.run(['ceph', 'status'])
  const rows = (JSON.parse(ended.stdout) as { items: Row[] }).items
  return { code: ended.code, ...Object.fromEntries(rows.map((row) => [row.name, row])) } as { code: number } & Record<
    'health' | 'osds' | 'pgs' | 'capacity' | 'slow-ops' | 'maintenance',
    Row
  >
}
const maintenance = (...args: string[]) => lab.run(['ceph', 'maintenance', ...args, '--yes'])

it('tells what Rook knows, and of what only metrics tell that nobody told it', async () => {
  const found = await eventually(status, ({ code }) => code === 0, 60)
  expect(found.health).toMatchObject({ state: 'ok', summary: 'HEALTH_OK' })
  expect(found.osds).toMatchObject({ state: 'ok', facts: { down: [] } })
  expect(found.capacity).toMatchObject({ state: 'ok', facts: { daysLeft: null } })
  expect(found.pgs).toMatchObject({ state: 'unknown', facts: { total: null } })
})

it('puts the OSDs of a node to rest until Rook keeps them in, as a hold, and wakes them', async () => {
  const on = await maintenance(node, 'on', '--for', '20m', '--reason', 'new SSD')
  expect(on, told(on)).toMatchObject({ code: 0 })
  expect(Object.values(statesOf(on.result))).toEqual(['done', 'done', 'done'])
  const resting = await eventually(status, ({ health }) => health.reasons.some((one) => one.includes('OSD_FLAGS')), 30)
  expect(resting.code).toBe(3)
  expect(resting.maintenance.facts).toMatchObject({ nodes: [{ node }] })
  const holds = JSON.parse((await lab.run(['holds', 'list'])).stdout) as { items: object[] }
  expect(holds.items).toContainEqual(
    expect.objectContaining({ name: `ceph/${node}`, reason: 'new SSD', expired: false }),
  )

  // Ceph can spare one host, the cordon is not a plain one, and Rook keeps nobody in for two hours.
  expect((await maintenance('apps-w2', 'on', '--reason', 'x')).code).toBe(3)
  expect((await lab.run(['node', 'uncordon', node])).code).toBe(3)
  expect((await maintenance(node, 'on', '--for', '2h', '--reason', 'x')).code).toBe(2)

  const off = await maintenance(node, 'off')
  expect(off, told(off)).toMatchObject({ code: 0 })
  expect((await status()).maintenance).toMatchObject({ summary: 'none' })
})

it('is taken as well by processes that are killed, and ends by itself when its time is up', async () => {
  const kill = boundaries(
    full ? undefined : [`process-started ${node}/hold kubectl`, `process-started ${node}/rest kubectl`],
  )
  const { last, kills } = await killAtBoundaries(
    lab,
    ['ceph', 'maintenance', node, 'on', '--reason', 'forgotten'],
    kill,
  )
  kill.remove()
  expect(last, told(last)).toMatchObject({ code: 0 })
  expect(kills).toBeGreaterThanOrEqual(2)
  const past = 'k8sops.dev/hold-until=2026-01-01T00:00:00Z'
  expect(await inLab(lab.record, 'kubectl', 'annotate', '--overwrite', 'node', node, past)).toMatchObject({ code: 0 })
  expect((await lab.run(['holds', 'list'])).code).toBe(3)
  const expired = await lab.run(['holds', 'expire', '--yes'])
  expect(expired, told(expired)).toMatchObject({ code: 0 })
  expect(statesOf(expired.result)).toMatchObject({ [`${node}/expire`]: 'done' })
  await eventually(status, ({ code }) => code === 0, 60)
})

it('names slow operations, and follows what changes', async () => {
  const watching = lab.start(['ceph', 'status', '--watch'])
  const lastTold = () =>
    watching
      .printed()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Row)
      .findLast(({ name }) => name === 'slow-ops')?.state
  const until = (wanted: string) =>
    eventually(
      async () => lastTold(),
      (state) => state === wanted,
      60,
    )
  await until('ok')
  try {
    await lab.addFault({ name: 'ceph-degraded', params: { key: 'SLOW_OPS' } })
    await until('fail')
    expect((await status()).code).toBe(3)
  } finally {
    await lab.clearFaults('ceph-degraded')
  }
  await until('ok')
  watching.signal('SIGINT')
  expect((await watching.ended).code).toBe(130)
  await wellAgain(lab)
})
