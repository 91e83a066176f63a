/**
 * A test of the network in a lab, which has none: the API server, the plan, kubectl, the removal and what Cilium's operator says are real, and
 * whatever would need a packet has to be told as unproven.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inLab } from '../helpers/lab.ts'
import { isStart, type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let lab: LabCli
const namespace = 'k8sops-connectivity'
const command = ['connectivity', 'test', '--probe-timeout', '10s', '--yes']
const kubectl = (...args: string[]) => inLab(lab.record, 'kubectl', ...args)
const namespaces = async () => (await kubectl('get', 'namespaces', '-o', 'name')).stdout
const results = async () => {
  const { code, stdout } = await lab.run(['connectivity', 'results'])
  const { items } = JSON.parse(stdout) as { items: { check: string; state: string; detail: string; token: string }[] }
  return { code, states: Object.fromEntries(items.map(({ check, state }) => [check, state])), items }
}
const unproven = {
  'dns-inside': 'unproven',
  'dns-split': 'unproven',
  routes: 'unproven',
  egress: 'unproven',
  mtu: 'unproven',
}
const stranger = ['-n', 'default', 'service', 'without-address']

beforeAll(async () => {
  const shared = await sharedLab()
  lab = labCli(shared.record, shared.env)
})
afterAll(() => kubectl('delete', ...stranger, '--ignore-not-found'))

it('leaves nothing behind after Ctrl-C', async () => {
  const run = lab.start(command)
  await run.event(isStart('probes/answer'))
  expect(await namespaces()).toContain(namespace)
  run.signal('SIGINT')
  const ended = await run.ended
  expect(ended, told(ended)).toMatchObject({ code: 6 })
  expect(statesOf(ended.result)).toMatchObject({
    'probes/answer': 'interrupted',
    'probes/clean': 'done',
    verdict: 'not-started',
  })
  expect(await namespaces()).not.toContain(namespace)
})

it('removes what a killed one has left, tells what can be seen, and takes for proven nothing that can not', async () => {
  const killed = lab.start(command)
  await killed.event(isStart('probes/answer'))
  killed.signal('SIGKILL')
  await killed.ended
  expect(await namespaces()).toContain(namespace)

  const ended = await lab.run(command)
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  expect(statesOf(ended.result)).toMatchObject({
    sweep: 'done',
    'probes/start': 'done',
    'probes/clean': 'done',
    verdict: 'done',
  })
  expect(await namespaces()).not.toContain(namespace)
  const found = await results()
  expect(found.states).toEqual({
    ...unproven,
    'default-deny': 'unproven',
    'lb-addresses': 'passed',
    'lb-announced': 'unproven',
    cilium: 'unproven',
  })
  expect(found.code).toBe(0)
})

it('fails when a Service got no address, names it, and still removes everything', async () => {
  // Outside every pool: Cilium's operator gives no address.
  const annotations = { 'lbipam.cilium.io/ips': '192.0.2.1' }
  const metadata = { name: 'without-address', namespace: 'default', annotations }
  const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] }
  const file = join(lab.record.dir, 'without-address.json')
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata, spec }))
  expect(await kubectl('create', '-f', file)).toMatchObject({ code: 0 })
  const ended = await lab.run(command)
  expect(ended, told(ended)).toMatchObject({ code: 3 })
  expect(ended.result?.error?.message).toContain('without an address: default/without-address')
  expect(statesOf(ended.result)).toMatchObject({ 'probes/clean': 'done', verdict: 'failed' })
  expect(await namespaces()).not.toContain(namespace)
  const found = await results()
  expect(found).toMatchObject({ code: 3, states: { 'lb-addresses': 'failed' } })
})
