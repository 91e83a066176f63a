/**
 * Everything that goes wrong during a bootstrap, one after the other on the way of a single cluster (`infra`) from
 * machines in maintenance mode to Ready: each fault is named, ends the run in bounded time with the right exit code, and
 * once it is repaired the command that the run printed goes on.
 *
 * Here two faults, chosen by K8SOPS_TEST_SEED (or none: `isDisturbed`), and a cluster that ends Ready; with K8SOPS_TEST_FULL=1 all of them, and an
 * end state that is the same as that of an undisturbed bootstrap (docs/proof.md).
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { killProcess } from '../../../src/lib/exec/process-info.ts'
import { processesOfLab } from '../../../src/lib/lab/processes.ts'
import type { RunEvent } from '../../../src/lib/types.ts'
import { differences, readEndState } from '../../helpers/end-state.ts'
import { atWork, isDisturbed } from '../../helpers/kill.ts'
import { eventually, inLab, kubectl, labHome, talosctl } from '../../helpers/lab.ts'
import { type CliEnded, type LabCli, labCli, patience, statesOf, told } from '../../helpers/lab-cli.ts'
import { full, randomOf, sample, seed } from '../../helpers/seed.ts'
import { sharedLabUp, sharedPlace } from '../../helpers/shared-lab.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

interface Fault {
  name: string
  /** Before or after the API server is there: the sample takes one of each. */
  part: 'machines' | 'cluster'
  /** Waits of minutes, which only the whole proof can afford. */
  long?: true
  play: () => Promise<void>
}

const faults: Fault[] = []
const fault = (name: string, part: Fault['part'], play: Fault['play'], long?: true) =>
  faults.push({ name, part, play, ...(long ? { long } : {}) })

const home = labHome()
let lab: LabCli
const host = (name: string) => `infra-${name}`
const addressOf = (name: string) =>
  Object.entries(lab.record.hostnames).find(([, hostname]) => hostname === host(name))?.[0] ?? ''
const titleOf = (name: string) => `${host(name)} (${addressOf(name)})`
const controlPlanes = ['cp1', 'cp2', 'cp3']
/** Seconds as an option: more of them where the machine is busy with something else, and those that are waited anyway. */
const seconds = (quiet: number, anyway = 0) => `${Math.ceil(quiet * patience + anyway)}s`
const asText = (limit: string) => limit.replace('s', ' s')

/** Steps that a run has come through. */
const through = new Set<string>()
/** What the run that stopped, and has not been gone on with, told its operator to type. */
let printed: string[] = []

const next = (step: string) => (printed.length > 0 ? printed : ['bootstrap', '--until', step])

async function run(...args: string[]): Promise<CliEnded> {
  const ended = await lab.run(args)
  if (ended.code === 0) printed = []
  for (const [step, state] of Object.entries(statesOf(ended.result)))
    if (state === 'done' || state === 'skipped') through.add(step)
  return ended
}

/** Everything before is in place, so that a short time limit is one for the step that is meant. */
async function upTo(step: string): Promise<void> {
  if (through.has(step)) return
  const ended = await run('bootstrap', '--until', step)
  expect(ended, told(ended)).toMatchObject({ code: 0 })
}

interface Stop {
  /** 6: after it had changed something. */
  code?: number
  /** Of the step, in seconds: then it was ended by its deadline. Without: it stopped as soon as it knew. */
  deadline?: string
}

/** The run stopped at the step, in time, and says why and how to go on. Returns what it says. */
function expectStopped(ended: CliEnded, step: string, { code = 6, deadline }: Stop = {}): string {
  expect(ended, told(ended)).toMatchObject({ code, result: { changed: code === 6, exitCode: code } })
  const { resume = '', runId, error, steps } = ended.result!
  const stopped = steps.find(({ id }) => id === step)
  expect(stopped?.state, told(ended)).toMatch(/failed|interrupted/)
  expect(resume).toBe(`k8sops run resume ${runId} --cluster infra --lab --lab-name ${lab.record.name}`)
  printed = resume.split(' ').slice(1, 4)
  const message = [error?.message, error?.next].join('\n')
  if (deadline === undefined) expect(message).not.toMatch(/were not enough|time limit/)
  else {
    expect(message).toContain(asText(deadline))
    // By the run's own clock: how long a program takes to start says nothing about a deadline. 10 s: to give up, and to end.
    expect(stopped?.seconds, told(ended)).toBeLessThan(Number.parseInt(deadline, 10) + 10)
  }
  return message
}

/** The printed command goes on with what stopped. */
async function expectResumed(): Promise<CliEnded> {
  await lab.clearFaults()
  const ended = await run(...printed)
  expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
  return ended
}

const stageOf = async (address: string) => {
  const { stdout } = await talosctl(lab.record, address, 'get', 'machinestatus', '--insecure', '-o', 'json')
  return stdout === '' ? '' : (JSON.parse(stdout) as { spec: { stage: string } }).spec.stage
}

const etcdMembers = async (name: string) => {
  const { code, stdout } = await talosctl(lab.record, addressOf(name), 'etcd', 'members')
  const rows = stdout.trim().split('\n').slice(1)
  return code === 0 ? rows.map((row) => row.trim().split(/\s+/).slice(1, 3).join(' ')).sort() : []
}

// ---- machines

fault('foreign-pki: stops before it touches any machine', 'machines', async () => {
  await lab.addFault({ name: 'foreign-pki', node: host('cp2') })
  const ended = await run('bootstrap', '--until', 'machines/answer')
  const message = expectStopped(ended, 'machines/answer')
  expect(message).toContain(`${titleOf('cp2')}: is configured with another cluster's certificates`)
  expect(message).toContain('wipe it')
  expect(await stageOf(addressOf('cp1'))).toBe('maintenance')
  await expectResumed()
})

fault('node-unreachable: the machine that does not answer is named when its time is over', 'machines', async () => {
  await upTo('talos/genconfig')
  await lab.addFault({ name: 'node-unreachable', node: host('w1'), params: { mode: 'refused' } })
  const deadline = seconds(5)
  const ended = await run('bootstrap', '--until', 'machines/answer', '--node-timeout', deadline)
  const message = expectStopped(ended, 'machines/answer', { code: 4, deadline })
  expect(message).toContain(`${titleOf('w1')}: does not answer`)
  await expectResumed()
})

fault(
  'node-never-boots, slow-boot, certificate-without-address: side by side, all told apart',
  'machines',
  async () => {
    await upTo('machines/answer')
    await lab.addFault({ name: 'node-never-boots', node: host('w3') })
    await lab.addFault({ name: 'slow-boot', node: host('w2'), params: { factor: '3' } })
    await lab.addFault({ name: 'certificate-without-address', node: host('w1') })
    const deadline = seconds(15)
    const ended = await run('bootstrap', '--until', host('w3'), '--node-timeout', deadline)
    const message = expectStopped(ended, `${host('w3')}/apply-config`, { deadline })
    expect(message).toContain(`${titleOf('w3')}: does not answer`)
    expect(message).toContain(`${titleOf('w1')}: is ours, but its certificate does not name the address`)
    expect(message).toContain('add the address to certSANs')
    const states = statesOf(ended.result)
    expect(states[`${host('w1')}/apply-config`]).toBe('failed')
    // Slow is not wrong.
    for (const name of [...controlPlanes, 'w2']) expect(states[`${host(name)}/apply-config`], name).toBe('done')
    await expectResumed()
  },
)

// ---- etcd

fault('time-not-synced: bootstrap waits for the clock, and names the machine', 'machines', async () => {
  await upTo(`${host('w3')}/apply-config`)
  await lab.addFault({ name: 'time-not-synced' })
  const deadline = seconds(5)
  const ended = await run('bootstrap', '--until', 'etcd/bootstrap', '--node-timeout', deadline)
  const message = expectStopped(ended, 'etcd/bootstrap', { code: 3, deadline })
  expect(message).toContain(`${addressOf('cp1')}: spec.synced is false`)
  expect(message).toContain(`talosctl -n ${addressOf('cp1')} get timestatus`)
  for (const name of controlPlanes) expect(await etcdMembers(name), name).toEqual([])
  // In the whole proof the next fault is in its way.
  if (!full) await expectResumed()
})

fault(
  'etcd-already-bootstrapped (old data): no etcd comes about, and the printed command wipes',
  'machines',
  async () => {
    await upTo(`${host('w3')}/apply-config`)
    await lab.addFault({ name: 'etcd-already-bootstrapped', params: { by: 'old-data' } })
    const deadline = seconds(8)
    const ended = await run('bootstrap', '--until', 'etcd/bootstrap', '--node-timeout', deadline)
    const message = expectStopped(ended, 'etcd/bootstrap', { deadline })
    expect(message).toContain('etcd data directory is not empty')
    for (const name of controlPlanes) expect(await etcdMembers(name), name).toEqual([])
    const wipe = /talosctl (.* reset .*)$/m.exec(message)?.[1]?.split(' ') ?? []
    expect(wipe).toContain(addressOf('cp1'))
    expect(await inLab(lab.record, 'talosctl', ...wipe)).toMatchObject({ code: 0 })
    if (!full) await expectResumed()
  },
)

fault(
  'etcd-already-bootstrapped (another operator): theirs is taken, never a second one made',
  'machines',
  async () => {
    await upTo(`${host('w3')}/apply-config`)
    await lab.addFault({ name: 'etcd-already-bootstrapped' })
    await eventually(
      () => etcdMembers('cp2'),
      ({ length }) => length > 0,
      60,
    )
    const ended = await run(...next('etcd/bootstrap'))
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    expect(statesOf(ended.result)['etcd/bootstrap']).toBe('skipped')
    await upTo('etcd/quorum')
    const lists = await Promise.all(controlPlanes.map(etcdMembers))
    expect(lists[0]).toHaveLength(3)
    expect(lists[1]).toEqual(lists[0])
    expect(lists[2]).toEqual(lists[0])
  },
)

// ---- API server

fault(
  'node-unreachable, silent: the control plane whose API server does not answer is named',
  'cluster',
  async () => {
    await upTo('kubeconfig/merge')
    // Holds the run at the API server until the fault that is meant is in its place.
    await lab.addFault({ name: 'api-flaps', params: { up: '0', down: '600' } })
    // A look at an address that is silent takes ten seconds, whatever else the machine does.
    const deadline = seconds(5, 15)
    const running = lab.start(['bootstrap', '--until', 'api', '--node-timeout', deadline])
    await running.event(
      ({ type, ...event }) => type === 'step-waiting' && 'step' in event && event.step === 'api/ready',
    )
    await lab.addFault({ name: 'node-unreachable', node: host('cp3') })
    await lab.clearFaults('api-flaps')
    const message = expectStopped(await running.ended, 'api/ready', { code: 3, deadline })
    expect(message).toContain(`https://${addressOf('cp3')}:6443: no answer`)
    expect(message.split('\n')[0]).not.toContain(addressOf('cp1'))
    await expectResumed()
  },
  true,
)

fault('api-flaps: steps wait and go on; a run that stops can be resumed', 'cluster', async () => {
  await lab.addFault({ name: 'api-flaps', params: { up: '4', down: '2' } })
  let ended = await run('bootstrap', '--until', 'secrets/apply')
  for (let tries = 0; ended.code === 6 && tries < 5; tries += 1) {
    expectStopped(ended, failedStep(ended))
    ended = await run(...printed)
  }
  expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
})

fault(
  'registry-down, hanging: the command that waits for it is ended, and named',
  'cluster',
  async () => {
    await upTo('secrets/apply')
    await lab.addFault({ name: 'registry-down', params: { mode: 'hang' } })
    const deadline = seconds(10)
    const ended = await run('bootstrap', '--until', 'crds/apply', '--timeout', deadline)
    expect(expectStopped(ended, 'crds/apply', { deadline })).toMatch(/^\$ helmfile .*00-crds/m)
    // In the whole proof the next fault is in its way.
    if (!full) await expectResumed()
  },
  true,
)

fault(
  'crd-missing: the CRD that does not come is named',
  'cluster',
  async () => {
    await upTo('secrets/apply')
    const crd = 'gatewayclasses.gateway.networking.k8s.io'
    await lab.addFault({ name: 'crd-missing', params: { crd } })
    const deadline = seconds(20)
    const ended = await run(...next('crds/apply'), '--timeout', deadline)
    expect(expectStopped(ended, 'crds/apply', { deadline })).toContain(crd)
    // helmfile (1.8) keeps a chart by its version: one that was corrected under the same version is not fetched again.
    await lab.clearFaults()
    expect(await inLab(lab.record, 'helmfile', 'cache', 'cleanup')).toMatchObject({ code: 0 })
    await expectResumed()
  },
  true,
)

const answers = ['refused', '500', '429']
const chosenAnswer = sample(answers, 1, randomOf('answer'))
fault('registry-down: the host that a chart comes from is named', 'cluster', async () => {
  await upTo('crds/apply')
  for (const mode of full ? answers : chosenAnswer) {
    await lab.addFault({ name: 'registry-down', params: { mode } })
    const ended = await run(...next('cilium/sync'))
    expect(expectStopped(ended, 'cilium/sync'), mode).toContain('https://quay.io')
  }
  await expectResumed()
})

fault('an API server that restarts while helm is at work', 'cluster', async () => {
  const running = lab.start(['bootstrap', '--until', 'coredns/sync'])
  await atWork('coredns/sync')(running, lab)
  const servers = processesOfLab(lab.record.id).filter(({ command }) => command.includes('/kube-apiserver '))
  expect(servers).toHaveLength(1)
  for (const server of servers) killProcess(server)
  const ended = await running.ended
  // helm goes on, is asked again, or leaves a release that resume repairs: which of them is chance, the end is not.
  if (ended.code !== 0) {
    expect(expectStopped(ended, 'coredns/sync')).toContain(':6443')
    await expectResumed()
  }
})

// ---- Flux

fault(
  'webhook-timeout: the webhook that holds up a write is named',
  'cluster',
  async () => {
    await upTo('onepassword-connect/sync')
    await lab.addFault({ name: 'webhook-timeout', params: { webhook: 'external-secrets' } })
    // The webhook takes ten seconds to time out, whatever else the machine does.
    const deadline = seconds(10, 12)
    const ended = await run('bootstrap', '--until', 'onepassword-store/apply', '--timeout', deadline)
    const message = expectStopped(ended, 'onepassword-store/apply', { deadline })
    expect(message).toMatch(/failed calling webhook "validate.externalsecret.external-secrets.io"/)
    await expectResumed()
  },
  true,
)

fault(
  'flux-never-ready: the last step names the release, and how long it waited',
  'cluster',
  async () => {
    await upTo('flux-operator/sync')
    await lab.addFault({ name: 'flux-never-ready', params: { name: 'kube-system/coredns' } })
    const running = lab.start(['bootstrap'])
    const held = 'HelmRelease kube-system/coredns'
    const isHeld = (event: RunEvent) => event.type === 'step-waiting' && event.waitingFor.join('\n').includes(held)
    await running.event(isHeld)
    running.signal('SIGINT', { group: false })
    expect(expectStopped(await running.ended, 'flux/reconciled')).toContain(held)
    const deadline = seconds(12)
    const ended = await run(...printed, '--timeout', deadline)
    expect(expectStopped(ended, 'flux/reconciled', { deadline })).toContain(held)
    await expectResumed()
  },
  true,
)

const failedStep = (ended: CliEnded) =>
  Object.entries(statesOf(ended.result)).find(([, state]) => state === 'failed')?.[0] ?? ''

describe(`bootstrap of infra through faults (seed ${seed})`, () => {
  beforeAll(async () => {
    lab = labCli(await sharedLabUp('infra'), sharedPlace('infra').env)
  })
  afterEach(() => lab.clearFaults())
  afterAll(() => home.close())

  const random = randomOf('faults')
  const oneOf = (part: Fault['part']) =>
    sample(
      faults.filter((one) => one.part === part && !one.long),
      1,
      random,
    )
  const some = isDisturbed('infra') ? [...oneOf('machines'), ...oneOf('cluster')] : []
  const chosen = new Set(full ? faults : some)
  for (const one of faults) {
    const skipReason = one.long
      ? 'minutes long: npm run test:full'
      : 'not in the sample of this seed: npm run test:full'
    test(one.name, { skip: !chosen.has(one), meta: { skipReason } }, one.play)
  }

  test('the cluster comes up all the same', async () => {
    const ended = await run('bootstrap')
    expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    const kinds = 'nodes,fluxinstances,kustomizations,helmreleases'
    const ready = await kubectl(lab.record, 'wait', kinds, '--all', '-A', '--for=condition=Ready', '--timeout=30s')
    expect(ready, ready.stderr).toMatchObject({ code: 0 })
    expect(ready.stdout.match(/^node\/infra-\S+ condition met$/gm)).toHaveLength(6)
  })

  const skipReason = 'bootstraps a second cluster to compare with: npm run test:full'
  test('and is the same as an undisturbed one', { skip: !full, meta: { skipReason } }, async () => {
    const again = await run('bootstrap')
    expect(again, told(again)).toMatchObject({ code: 0, result: { changed: false } })
    const calm = labCli((await home.up('infra', { name: 'calm' })).record, home.env)
    const ended = await calm.run(['bootstrap'])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    expect(differences(await readEndState(calm.record), await readEndState(lab.record))).toEqual([])
  })
})
