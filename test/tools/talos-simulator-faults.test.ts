/** The lab's faults of machines, and a supervisor that was away: the five states of talos.md 1.2 are told apart. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startFleet, type TalosFleet } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
beforeAll(async () => {
  fleet = await startFleet(['cp1', 'cp2', 'cp3', 'w1', 'w2'])
})
afterAll(() => fleet?.stop())

const at = (name: string) => fleet.address(name)
const nodeAddress = (name: string) => fleet.machines.get(name)?.machine.spec.nodeAddress
const stageOf = (name: string) => fleet.machines.get(name)?.machine.stage
const insecure = (name: string) => fleet.insecure('-n', at(name), 'get', 'machinestatus', '--insecure', '-o', 'json')
const secure = (name: string) => fleet.talosctl('-e', at(name), '-n', at(name), 'get', 'machinestatus', '-o', 'json')

describe('faults before the cluster is up', () => {
  it('foreign-pki: configured, but nobody of ours', async () => {
    await fleet.stage('w2', 'maintenance')
    fleet.faults({ name: 'foreign-pki', node: at('w2') })
    await fleet.until('the endpoint changed', async () => (await insecure('w2')).code === 1)
    expect((await insecure('w2')).stderr).toContain('tls: certificate required')
    expect((await secure('w2')).stderr).toContain('x509: certificate signed by unknown authority')
    fleet.faults()
    await fleet.until('in maintenance again', async () => (await insecure('w2')).code === 0)
  })

  it('node-never-boots: the config is taken, the machine never comes back until the fault is gone', async () => {
    fleet.faults({ name: 'node-never-boots', node: at('w2') })
    await fleet.apply('w2')
    await fleet.stage('w2', 'rebooting')
    for (const output of [await insecure('w2'), await secure('w2')]) {
      expect(output.stderr).toContain('connect: connection refused')
    }
    await fleet.apply('cp1', 'cp2', 'cp3', 'w1')
    await fleet.stage('w1', 'running')
    expect(stageOf('w2')).toBe('rebooting')
    fleet.faults()
    await fleet.stage('w2', 'running')
  })
})

describe('faults of a running cluster', () => {
  beforeAll(async () => {
    await fleet.until(
      'bootstrap accepted',
      async () => (await fleet.talosctl('-e', at('cp1'), '-n', at('cp1'), 'bootstrap')).code === 0,
    )
    for (const name of fleet.machines.keys()) await fleet.stage(name, 'running', true)
  })

  it('certificate-without-address: ours, but not at this address', async () => {
    fleet.faults({ name: 'certificate-without-address', node: at('w1') })
    await fleet.until('another certificate', async () => (await secure('w1')).code === 1)
    expect((await secure('w1')).stderr).toContain(
      `x509: certificate is valid for ${nodeAddress('w1')}, not ${at('w1')}`,
    )
    expect((await insecure('w1')).stderr).toContain('tls: certificate required')
    const forwarded = await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), 'version')
    expect(forwarded.stderr).toContain(`x509: certificate is valid for ${nodeAddress('w1')}, not ${at('w1')}`)
    fleet.faults()
    await fleet.until('well again', async () => (await secure('w1')).code === 0)
  })

  it('node-unreachable: refused, or silent', async () => {
    fleet.faults({ name: 'node-unreachable', node: at('w1'), params: { mode: 'refused' } })
    await fleet.until('refused', async () => (await secure('w1')).stderr.includes('connection refused'))
    fleet.faults({ name: 'node-unreachable', node: at('w1') })
    const forwarded = await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), 'version')
    expect(forwarded.code).toBe(1)
    expect(forwarded.stderr).toContain(`dial tcp ${at('w1')}:50000: i/o timeout`)
    fleet.faults()
    await fleet.until('well again', async () => (await secure('w1')).code === 0)
  })

  it('time-not-synced: running, but not ready', async () => {
    fleet.faults({ name: 'time-not-synced', node: at('w1') })
    await fleet.stage('w1', 'running', false)
    expect(JSON.parse((await secure('w1')).stdout).spec.status).toEqual({
      ready: false,
      unmetConditions: [{ name: 'time', reason: 'time is not synced' }],
    })
    fleet.faults()
    await fleet.stage('w1', 'running', true)
  })

  it('node not ready in Kubernetes: running, but not ready', async () => {
    fleet.node('w1').ready = false
    await fleet.stage('w1', 'running', false)
    expect(JSON.parse((await secure('w1')).stdout).spec.status.unmetConditions).toEqual([
      { name: 'nodeReady', reason: 'node "w1" is not ready' },
    ])
    fleet.node('w1').ready = true
    await fleet.stage('w1', 'running', true)
  })

  it('registry-down for the image factory: no upgrade begins', async () => {
    fleet.faults({ name: 'registry-down', params: { host: 'factory.talos.dev' } })
    const image = `factory.talos.dev/metal-installer/${fleet.machines.get('w1')?.machine.schematic}:v1.12.3`
    const output = await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), 'upgrade', '-i', image, '--timeout', '10s')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('dial tcp: i/o timeout')
    fleet.faults()
  })

  it('image-not-found for the machine only: the upgrade is refused with the registry’s words', async () => {
    fleet.faults({ name: 'image-not-found', params: { for: 'node' } })
    const image = `factory.talos.dev/metal-installer/${fleet.machines.get('w1')?.machine.schematic}:v1.12.3`
    const output = await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), 'upgrade', '-i', image, '--timeout', '10s')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(`failed to resolve image: ${image}: not found`)
    fleet.faults()
  })

  it.each([
    ['7200', 'is before'],
    ['-172800', 'is after'],
  ])('clock-moves by %s s: its certificate is not valid now', async (seconds, text) => {
    fleet.faults({ name: 'clock-moves', node: at('w1'), params: { seconds } })
    await fleet.until('another certificate', async () => (await secure('w1')).stderr.includes(text))
    fleet.faults()
    await fleet.until('well again', async () => (await secure('w1')).code === 0)
  })

  it('boots-without-network: from the next boot on nobody reaches it, until the network is back', async () => {
    fleet.faults({ name: 'boots-without-network', node: at('w1') })
    expect((await secure('w1')).code).toBe(0)
    const before = fleet.machines.get('w1')?.machine.bootId
    await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), 'reboot', '--wait=false')
    await fleet.until('rebooted', () => fleet.machines.get('w1')?.machine.bootId !== before)
    await fleet.stage('w1', 'running')
    expect(fleet.machines.get('w1')?.part.status().endpoint).toBe('black-hole')
    fleet.faults()
    await fleet.until('well again', async () => (await secure('w1')).code === 0)
  })

  it('upgrade-rolls-back concerns a staged upgrade, too', async () => {
    const w1 = fleet.machines.get('w1')?.machine
    const before = w1?.version
    fleet.faults({ name: 'upgrade-rolls-back', node: at('w1') })
    const image = `factory.talos.dev/metal-installer/${w1?.schematic}:v1.12.2`
    const args = ['upgrade', '-i', image, '--stage', '--timeout', '30s']
    expect(await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), ...args)).toMatchObject({ code: 0 })
    expect(w1?.version).toBe(before)
    fleet.faults()
  })
})

describe('a supervisor that was away', () => {
  it('finds running machines as they were, with the same boot id', async () => {
    const before = [...fleet.machines].map(([name, { machine }]) => [name, machine.bootId, machine.version])
    await fleet.restartSupervisor()
    for (const name of fleet.machines.keys()) await fleet.stage(name, 'running', true)
    expect([...fleet.machines].map(([name, { machine }]) => [name, machine.bootId, machine.version])).toEqual(before)
  })

  it.each(['v1.12.3', 'v1.12.4'])('finishes an upgrade to %s that it left in the middle', async (version) => {
    const w1 = () => fleet.machines.get('w1')?.machine
    const image = `factory.talos.dev/metal-installer/${w1()?.schematic}:${version}`
    await fleet.talosctl('-e', at('cp1'), '-n', at('w1'), 'upgrade', '-i', image, '--wait=false')
    await fleet.stage('w1', version === 'v1.12.3' ? 'upgrading' : 'rebooting')
    await fleet.restartSupervisor()
    await fleet.until('upgraded', () => w1()?.version === version && w1()?.ready === true)
  })

  it('finishes an installation, and a reset', async () => {
    await fleet.talosctl('-e', at('cp1'), '-n', at('w2'), 'reset', '--graceful=false', '--reboot', '--wait=false')
    await fleet.stage('w2', 'resetting')
    await fleet.restartSupervisor()
    await fleet.stage('w2', 'maintenance')
    await fleet.apply('w2')
    await fleet.stage('w2', 'installing')
    await fleet.restartSupervisor()
    await fleet.stage('w2', 'running', true)
  })

  it('leaves a machine off that was off', async () => {
    await fleet.talosctl('-e', at('cp1'), '-n', at('w2'), 'shutdown', '--wait=false')
    await fleet.stage('w2', 'shutting down')
    await fleet.until('off', async () => (await secure('w2')).stderr.includes('connection refused'))
    await fleet.restartSupervisor()
    for (const name of ['cp1', 'cp2', 'cp3', 'w1']) await fleet.stage(name, 'running', true)
    expect(stageOf('w2')).toBe('shutting down')
  })
})
