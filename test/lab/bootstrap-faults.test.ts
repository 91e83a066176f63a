/**
 * Everything that goes wrong during a bootstrap, one after the other on the way of a single cluster from machines in
 * maintenance mode to Ready: each fault is named, ends the run in bounded time with the right exit code and a command to
 * go on, and once it is repaired that command does go on.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { full } from '../helpers/kill.ts'
import { eventually, inLab, labHome, talosctl } from '../helpers/lab.ts'
import { type CliEnded, type LabCli, labCli, patience, statesOf, told } from '../helpers/lab-cli.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

/** Minutes of faults one after the other: whole with `npm run test:full`, counted as skipped otherwise. */
const proof = (name: string, body: () => Promise<void>) =>
  test(name, { skip: !full, meta: { skipReason: 'a long proof: npm run test:full' } }, body)

const home = labHome()
let lab: LabCli
const host = (name: string) => `infra-${name}`
const addressOf = (name: string) =>
  Object.entries(lab.record.hostnames).find(([, hostname]) => hostname === host(name))?.[0] ?? ''
/** Seconds as an option; more of them where the machine is busy with something else. */
const seconds = (quiet: number) => `${Math.ceil(quiet * patience)}s`

beforeAll(async () => {
  lab = labCli((await home.up('infra', { name: 'faults' })).record, home.env)
})
afterEach(() => lab.clearFaults())
afterAll(() => home.close())

/** The run stopped at the step, says why and how to go on, and was over in time. 6: after it had changed something. */
function expectStopped(ended: CliEnded, step: string, withinSec: number, code = 6): string {
  expect(ended, told(ended)).toMatchObject({ code, result: { changed: code === 6, exitCode: code } })
  expect(statesOf(ended.result)[step], told(ended)).toMatch(/failed|interrupted/)
  const { resume, runId, error } = ended.result!
  expect(resume).toBe(`k8sops run resume ${runId} --cluster infra --lab --lab-name faults`)
  expect(ended.seconds).toBeLessThan(withinSec * patience)
  return [error?.message, error?.next].join('\n')
}

/** Goes on with what stopped. */
async function expectResumed(): Promise<CliEnded> {
  const ended = await lab.run(['run', 'resume'])
  expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
  return ended
}

const stageOf = async (address: string) => {
  const { stdout } = await talosctl(lab.record, address, 'get', 'machinestatus', '--insecure', '-o', 'json')
  return stdout === '' ? '' : (JSON.parse(stdout) as { spec: { stage: string } }).spec.stage
}

proof('foreign-pki: stops before it touches any machine', async () => {
  await lab.addFault({ name: 'foreign-pki', node: host('cp2') })
  const ended = await lab.run(['bootstrap', '--until', 'machines/answer'])
  const message = expectStopped(ended, 'machines/answer', 20)
  expect(message).toContain(`${host('cp2')} (${addressOf('cp2')}): is configured with another cluster's certificates`)
  expect(message).toContain('wipe it')
  expect(await stageOf(addressOf('cp1'))).toBe('maintenance')
  await lab.clearFaults()
  await expectResumed()
})

proof('node-unreachable: the machine that does not answer is named when the time for machines is over', async () => {
  await lab.addFault({ name: 'node-unreachable', node: host('w1'), params: { mode: 'refused' } })
  const limit = seconds(5)
  const ended = await lab.run(['bootstrap', '--until', 'machines/answer', '--node-timeout', limit])
  const message = expectStopped(ended, 'machines/answer', 25, 4)
  expect(message).toContain(`${host('w1')} (${addressOf('w1')})`)
  expect(message).toContain(`${limit.replace('s', ' s')} were not enough`)
  await lab.clearFaults()
  await expectResumed()
})

proof('node-never-boots and slow-boot: the one is named, the other only takes longer', async () => {
  await lab.addFault({ name: 'node-never-boots', node: host('w3') })
  await lab.addFault({ name: 'slow-boot', node: host('w2'), params: { factor: '3' } })
  const ended = await lab.run(['bootstrap', '--until', host('w3'), '--node-timeout', seconds(12)])
  const message = expectStopped(ended, `${host('w3')}/apply-config`, 35)
  expect(message).toContain(`${host('w3')} (${addressOf('w3')})`)
  const states = statesOf(ended.result)
  for (const name of ['cp1', 'cp2', 'cp3', 'w1', 'w2']) expect(states[`${host(name)}/apply-config`], name).toBe('done')
  await lab.clearFaults()
  await expectResumed()
})

proof('etcd-already-bootstrapped (old data): stops, says what to wipe, and no etcd comes about', async () => {
  await lab.addFault({ name: 'etcd-already-bootstrapped', params: { by: 'old-data' } })
  const ended = await lab.run(['bootstrap', '--until', 'etcd/bootstrap', '--node-timeout', seconds(5)])
  const message = expectStopped(ended, 'etcd/bootstrap', 25)
  expect(message).toContain('reset --system-labels-to-wipe EPHEMERAL')
  for (const name of ['cp1', 'cp2', 'cp3'])
    expect((await talosctl(lab.record, addressOf(name), 'etcd', 'members')).code, name).not.toBe(0)
})

proof('etcd-already-bootstrapped (another operator): theirs is taken, never a second one made', async () => {
  await lab.addFault({ name: 'etcd-already-bootstrapped' })
  const hasMembers = async () => (await talosctl(lab.record, addressOf('cp2'), 'etcd', 'members')).code === 0
  await eventually(hasMembers, Boolean, 20 * patience)
  const ended = await lab.run(['bootstrap', '--until', 'etcd'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  expect(statesOf(ended.result)).toMatchObject({ 'etcd/bootstrap': 'skipped', 'etcd/quorum': 'done' })
  const lists = await Promise.all(
    ['cp1', 'cp2', 'cp3'].map(async (name) => {
      const { stdout } = await talosctl(lab.record, addressOf(name), 'etcd', 'members')
      const rows = stdout.trim().split('\n').slice(1)
      return rows.map((row) => row.trim().split(/\s+/).slice(1, 3).join(' ')).sort()
    }),
  )
  expect(lists[0]).toHaveLength(3)
  expect(lists[1]).toEqual(lists[0])
  expect(lists[2]).toEqual(lists[0])
})

proof('api-flaps: steps wait and go on; a run that stops can be resumed', async () => {
  await lab.addFault({ name: 'api-flaps', params: { up: '4', down: '2' } })
  let ended = await lab.run(['bootstrap', '--until', 'secrets/apply'])
  for (let tries = 0; ended.code === 6 && tries < 5; tries += 1) ended = await lab.run(['run', 'resume'])
  expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
})

proof('registry-down: the host that charts come from is named', async () => {
  await lab.addFault({ name: 'registry-down' })
  const ended = await lab.run(['bootstrap', '--until', 'crds/apply'])
  expect(expectStopped(ended, 'crds/apply', 30)).toMatch(/ghcr\.io|quay\.io|docker\.io|charts\./)
})

proof('registry-down, hanging: the step is ended by its own deadline', async () => {
  await lab.addFault({ name: 'registry-down', params: { mode: 'hang' } })
  const limit = seconds(12)
  const ended = await lab.run(['run', 'resume', '--timeout', limit])
  expect(expectStopped(ended, 'crds/apply', 35)).toContain(limit.replace('s', ' s'))
})

proof('crd-missing: the CRD that does not come is named', async () => {
  const crd = 'gatewayclasses.gateway.networking.k8s.io'
  await lab.addFault({ name: 'crd-missing', params: { crd } })
  const ended = await lab.run(['run', 'resume', '--timeout', seconds(25)])
  expectStopped(ended, 'crds/apply', 45)
  const step = ended.result?.steps.find(({ id }) => id === 'crds/apply')
  expect(step?.waitedFor?.join('\n')).toContain(crd)
  await lab.clearFaults()
  // helmfile (1.8) keeps a chart by its version: one that was corrected under the same version is not fetched again.
  expect(await inLab(lab.record, 'helmfile', 'cache', 'cleanup')).toMatchObject({ code: 0 })
  await expectResumed()
})

proof('webhook-timeout: the webhook that holds up a write is named, before Flux is installed', async () => {
  await lab.addFault({ name: 'webhook-timeout', params: { webhook: 'external-secrets' } })
  const ended = await lab.run(['bootstrap', '--timeout', seconds(75)])
  expectStopped(ended, 'onepassword-store/apply', 100)
  expect(told(ended)).toContain('failed calling webhook')
  await lab.clearFaults()
})

proof('flux-never-ready: the last step names the release', async () => {
  await lab.addFault({ name: 'flux-never-ready', params: { name: 'kube-system/coredns' } })
  const ended = await lab.run(['run', 'resume', '--timeout', seconds(75)])
  expectStopped(ended, 'flux/reconciled', 100)
  const step = ended.result?.steps.find(({ id }) => id === 'flux/reconciled')
  expect(step?.waitedFor?.join('\n')).toContain('HelmRelease kube-system/coredns')
  await lab.clearFaults()
  await expectResumed()
})

proof('after all of it the cluster is whole', async () => {
  const again = await lab.run(['bootstrap'])
  expect(again, told(again)).toMatchObject({ code: 0, result: { changed: false } })
})
