/** The lab's own etcd members (src/lib/lab/control-plane/etcd.ts), where machines come and go at bad moments. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createEtcd, type Etcd } from '../../src/lib/lab/control-plane/etcd.ts'
import { parseMachineConfig } from '../../src/lib/lab/talos/machine-config.ts'
import type { Machine } from '../../src/lib/lab/types.ts'
import { startFleet, type TalosFleet } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
let etcd: Etcd
const up = new Set<string>()
beforeAll(async () => {
  // The machines' configs only: nothing of the simulator runs here.
  fleet = await startFleet([])
  etcd = createEtcd(
    fleet.lab,
    ({ spec }) => up.has(spec.address),
    () => {},
  )
})
afterAll(async () => {
  for (const name of ['cp1', 'cp2']) await etcd?.stop(machine(name))
  await fleet?.stop()
})

function machine(name: string): Machine {
  const spec = fleet.lab.spec.machines.find(({ address }) => address === fleet.address(name))
  const config = parseMachineConfig(readFileSync(fleet.configFile(name), 'utf8'))
  return { spec: spec ?? expect.unreachable(name), config, stage: 'running', ready: true, bootId: '' } as Machine
}

it('a machine that goes away while it joins is no obstacle to its next try', async () => {
  const [first, second] = [machine('cp1'), machine('cp2')]
  up.add(first.spec.address)
  await etcd.bootstrap(first)
  await fleet.until('first member', () => etcd.state(first).healthy)
  // Known to etcd by its peer URL from here on, but its power went before its process was started.
  await etcd.start(second)
  expect(etcd.state(second).phase).toBe('waiting')
  expect(fleet.lab.logs.join('\n')).toContain('cp2 went away')
  up.add(second.spec.address)
  await fleet.until('second member', async () => {
    await etcd.start(second)
    return etcd.state(second).healthy
  })
})
