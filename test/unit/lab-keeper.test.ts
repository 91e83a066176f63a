/** What the lab's operators have in common: objects that are applied only when they have to be. */
import { beforeEach, expect, test } from 'vitest'
import type { ClusterView } from '../../src/lib/lab/kube/cluster-view.ts'
import type { Manifest } from '../../src/lib/lab/kube/writer.ts'
import { createKeeper, type Keeper } from '../../src/lib/lab/operators/operator.ts'
import type { KubeObject } from '../../src/lib/types.ts'

let applied: Manifest[]
let refuses = false
let keeper: Keeper
beforeEach(() => {
  applied = []
  refuses = false
  const apply = async (object: Manifest) => {
    if (refuses) throw new Error('no answer')
    applied.push(object)
  }
  keeper = createKeeper({ writer: () => ({ apply }) } as unknown as ClusterView, 'a test')
})

const service = (port: number): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kafka', namespace: 'here' },
  spec: { ports: [{ port }] },
})

test('is applied once, and again when it differs', async () => {
  for (const port of [1, 1, 2, 2, 1]) await keeper.keep(service(port))
  expect(applied).toEqual([service(1), service(2), service(1)])
})

test('is applied again when somebody took it away', async () => {
  const there = { list: [] as KubeObject[] }
  await keeper.keep(service(1), there)
  there.list = [{ ...service(1), metadata: { name: 'kafka', namespace: 'elsewhere' } } as KubeObject]
  await keeper.keep(service(1), there)
  there.list = [service(1) as unknown as KubeObject]
  await keeper.keep(service(1), there)
  expect(applied).toHaveLength(2)
})

test('is applied again by an operator that starts anew, and after a write that failed', async () => {
  await keeper.keep(service(1))
  keeper.forget()
  refuses = true
  await expect(keeper.keep(service(1))).rejects.toThrow('no answer')
  refuses = false
  await keeper.keep(service(1))
  expect(applied).toHaveLength(2)
})
