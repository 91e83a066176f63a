/** Reboot, upgrade, rollback, reset and shutdown as the real talosctl follows them (talos.md 0, 4.4). */
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootstrapFleet, changedConfig, startFleet, type TalosFleet, tool } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
beforeAll(async () => {
  fleet = await startFleet(['cp1', 'cp2', 'cp3', 'w1'])
  await bootstrapFleet(fleet)
})
afterAll(() => fleet?.stop())

const at = (name: string) => fleet.address(name)
const on = (name: string, ...args: string[]) => fleet.talosctl('-e', at('cp1'), '-n', at(name), ...args)
const image = (version: string) => `factory.talos.dev/metal-installer/${machine('w1').schematic}:${version}`
const machine = (name: string) => fleet.machines.get(name)?.machine ?? expect.unreachable(name)
const upgrade = (name: string, version: string, ...flags: string[]) =>
  on(name, 'upgrade', '-i', image(version), '--timeout', '30s', ...flags)
const bootId = async (name: string) => (await on(name, 'read', '/proc/sys/kernel/random/boot_id')).stdout

describe('reboot', () => {
  it.each(['default', 'powercycle', 'force'])(
    'in mode %s waits until the machine is ready with a new boot id',
    async (mode) => {
      const before = await bootId('w1')
      const output = await on('w1', 'reboot', '-m', mode, '--wait', '--timeout', '30s')
      expect(output).toMatchObject({ code: 0, stdout: '' })
      expect(output.stderr).toContain('post check passed')
      expect(await bootId('w1')).not.toBe(before)
      expect(machine('w1').ready).toBe(true)
    },
  )

  it('of the endpoint itself survives the broken connection', async () => {
    const output = await on('cp1', 'reboot', '--wait', '--timeout', '30s')
    expect(output.code).toBe(0)
    expect(output.stderr).toContain('events check condition met')
  })

  it('neither cordons nor drains', async () => {
    const output = await on('w1', 'reboot', '--wait', '--timeout', '30s', '--debug')
    expect(output.stderr).not.toContain('cordonAndDrainNode')
  })
})

describe('upgrade', () => {
  it('cordons, drains, installs, reboots, and comes back uncordoned with the new version', async () => {
    const output = await upgrade('w1', 'v1.12.3')
    expect(output).toMatchObject({ code: 0, stdout: '' })
    const seen = [
      'sequence: upgrade action: START',
      'phase: drain action: START',
      'task: upgrade action: STOP',
      'error: stopAllServices task completed',
      'post check passed',
    ]
    let position = 0
    for (const text of seen) {
      expect(output.stderr.slice(position)).toContain(text)
      position = output.stderr.indexOf(text)
    }
    expect((await on('w1', 'get', 'version', '-o', 'jsonpath={.spec.version}')).stdout.trim()).toBe('v1.12.3')
    await fleet.until('uncordoned', () => !fleet.node('w1').unschedulable)
  })

  it('leaves a node cordoned that an operator cordoned', async () => {
    fleet.node('w1').unschedulable = true
    fleet.node('w1').annotations = {}
    // Talos's own cordon comes on top of it, with the annotation that lets it be taken back.
    expect((await on('w1', 'reboot', '--wait', '--timeout', '30s')).code).toBe(0)
    expect(fleet.node('w1').unschedulable).toBe(true)
    fleet.node('w1').unschedulable = false
  })

  it('of a control plane passes the etcd checks and keeps three members', async () => {
    expect((await upgrade('cp1', 'v1.12.3')).code).toBe(0)
    await fleet.stage('cp1', 'running', true)
    expect((await on('cp2', 'etcd', 'members')).stdout.trim().split('\n')).toHaveLength(4)
  })

  it('with --stage installs at the next boot, without a drain', async () => {
    const output = await upgrade('w1', 'v1.12.4', '--stage')
    expect(output.code).toBe(0)
    expect(output.stderr).not.toContain('drain')
    expect(machine('w1').version).toBe('v1.12.4')
  })

  it('with --wait=false only acknowledges', async () => {
    const output = await upgrade('w1', 'v1.12.5', '--wait=false')
    expect(output.stdout).toContain('Upgrade request received')
    await fleet.until('upgraded', () => machine('w1').version === 'v1.12.5' && machine('w1').ready)
  })

  it('goes back with rollback', async () => {
    expect(await on('w1', 'rollback')).toMatchObject({ code: 0 })
    await fleet.until('rolled back', () => machine('w1').version === 'v1.12.4' && machine('w1').ready)
  })

  it.each([
    ['a version that does not exist', () => image('v1.12.99')],
    ['a schematic that no factory has seen', () => `factory.talos.dev/metal-installer/${'0'.repeat(64)}:v1.12.3`],
    ['something that is no installer', () => 'docker.io/library/busybox:1'],
  ])('refuses %s before anything happens', async (_, reference) => {
    const before = await bootId('w1')
    const output = await on('w1', 'upgrade', '-i', reference(), '--timeout', '30s')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(`error validating installer image "${reference()}"`)
    expect(output.stderr).toContain('not found')
    expect(await bootId('w1')).toBe(before)
  })

  it('fails in the sequence when the installer refuses the step, and stays on the old version', async () => {
    const output = await upgrade('w1', 'v1.15.0')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('sequence error: sequence failed: error running phase')
    expect(output.stderr).toContain('host version 1.12.4 is too old to upgrade to Talos 1.15.0')
    await fleet.stage('w1', 'running', true)
    expect(machine('w1').version).toBe('v1.12.4')
  })

  it('reports success for a rollback that it did not notice', async () => {
    fleet.faults({ name: 'upgrade-rolls-back', node: at('w1') })
    expect((await upgrade('w1', 'v1.12.6')).code).toBe(0)
    expect(machine('w1').version).toBe('v1.12.4')
    fleet.faults()
  })

  it('ends with 1 and no reason when the time is up', async () => {
    fleet.faults({ name: 'node-never-returns', node: at('w1') })
    const output = await on('w1', 'upgrade', '-i', image('v1.12.6'), '--timeout', '4s')
    expect(output.code).toBe(1)
    expect(output.stderr).not.toMatch(/timeout|deadline/)
    expect(output.stderr).toContain('unavailable, retrying...')
    fleet.faults()
    await fleet.until('back', () => machine('w1').version === 'v1.12.6' && machine('w1').ready)
  })

  it('interrupted ends with 0 while the machine goes on', async () => {
    fleet.faults({ name: 'slow-boot', node: at('w1'), params: { factor: '20' } })
    const args = [
      '--talosconfig',
      fleet.talosconfig,
      '-e',
      at('cp1'),
      '-n',
      at('w1'),
      'upgrade',
      '-i',
      image('v1.12.7'),
    ]
    const child = execa(tool('talosctl'), args, { cwd: fleet.dir, reject: false, env: { HOME: fleet.dir } })
    await fleet.until('rebooting', () => machine('w1').stage === 'rebooting')
    child.kill('SIGINT')
    expect((await child).exitCode).toBe(0)
    fleet.faults()
    await fleet.until('upgraded all the same', () => machine('w1').version === 'v1.12.7' && machine('w1').ready)
  })

  it('does not start while another sequence runs', async () => {
    fleet.lab.spec.pace = 2
    const versions = ['v1.12.8', 'v1.12.9']
    const both = await Promise.all(versions.map((version) => upgrade('w1', version, '--wait=false')))
    // Both are acknowledged: that one of them never started is told by an event only.
    expect(both.map((output) => output.code)).toEqual([0, 0])
    fleet.lab.spec.pace = 0.1
    await fleet.until('one of them won', () => versions.includes(machine('w1').version) && machine('w1').ready)
    const winner = machine('w1').version
    await fleet.stage('w1', 'running', true)
    expect(machine('w1').version).toBe(winner)
  })
})

describe('apply-config on a configured machine', () => {
  const applied = (change: (source: string) => string, ...flags: string[]) =>
    on('w1', 'apply-config', '-f', changedConfig(fleet, 'w1', change), ...flags)

  it('finds no changes, or shows them without making them', async () => {
    const same = await applied((source) => source, '--dry-run')
    expect(same).toMatchObject({ code: 0, stdout: '' })
    expect(same.stderr).toContain('No changes.')
    const changed = await applied((source) => source.replace('wipe: false', 'wipe: true'), '--dry-run')
    expect(changed.stderr).toContain('Applied configuration without a reboot (skipped in dry-run).')
    expect(changed.stderr).toContain('-        wipe: false\n+        wipe: true')
    expect((await applied((source) => source, '--dry-run')).stderr).toContain('No changes.')
  })

  const needsReboot = (source: string) => source.replace('diskQuotaSupport: true', 'diskQuotaSupport: false')
  it('refuses without a reboot what needs one', async () => {
    const output = await applied(needsReboot, '--mode', 'no-reboot')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(
      "code = InvalidArgument desc = this config change can't be applied in immediate mode",
    )
  })

  it('keeps a staged config for the next boot', async () => {
    const output = await applied(needsReboot, '--mode', 'staged')
    expect(output.stderr).toContain('Staged configuration to be applied after the next reboot')
    const config = async (id: string) => (await on('w1', 'get', 'machineconfig', id, '-o', 'yaml')).stdout
    expect(await config('v1alpha1')).toContain('diskQuotaSupport: true')
    expect(await config('persistent')).toContain('diskQuotaSupport: false')
    expect((await on('w1', 'reboot', '--wait', '--timeout', '30s')).code).toBe(0)
    expect(await config('v1alpha1')).toContain('diskQuotaSupport: false')
  })

  it('restarts kubelet for another image, and counts the versions of what static pods are made from', async () => {
    const apply = (name: string, image: string) => {
      const file = changedConfig(fleet, name, (source) => source.replaceAll(`${image}:v1.35.0`, `${image}:v1.35.1`))
      return on(name, 'apply-config', '-f', file, '--mode', 'no-reboot')
    }
    const version = async () =>
      (await on('cp1', 'get', 'apiserverconfigs', '-o', 'jsonpath={.metadata.version}')).stdout.trim()
    const before = Number(await version())
    expect(await apply('cp1', 'kube-apiserver')).toMatchObject({ code: 0 })
    expect(Number(await version())).toBe(before + 1)
    expect((await on('cp1', 'service', 'kubelet')).stdout).not.toContain('[Finished]')
    expect(await apply('cp2', 'kubelet')).toMatchObject({ code: 0 })
    await fleet.until('kubelet restarted', async () => {
      const { stdout } = await on('cp2', 'service', 'kubelet')
      return stdout.includes('[Finished]') && /STATE +Running/.test(stdout)
    })
    expect((await on('cp2', 'get', 'kubeletspecs', '-o', 'jsonpath={.spec.image}')).stdout).toContain(':v1.35.1')
  })

  it('takes a tried config back by itself', async () => {
    const output = await applied(
      (source) => needsReboot(source).replace('wipe: false', 'wipe: true'),
      '--mode',
      'try',
      '--timeout',
      '5s',
    )
    expect(output.stderr).toContain("The config is applied in 'try' mode and will be automatically reverted back in 5s")
    const config = async () => (await on('w1', 'get', 'machineconfig', 'v1alpha1', '-o', 'yaml')).stdout
    expect(await config()).toContain('wipe: true')
    await fleet.until('reverted', async () => (await config()).includes('wipe: false'))
  })

  it('reboots by itself in mode auto when it has to', async () => {
    const before = machine('w1').bootId
    const output = await applied((source) => source)
    expect(output.stderr).toContain('Applied configuration with a reboot: this config change')
    await fleet.until('rebooted', () => machine('w1').bootId !== before)
    await fleet.stage('w1', 'running', true)
  })

  it.each([
    [
      'a worker with a CA key',
      (source: string) => source.replace(/(ca:\n {4}crt: (.*)\n) {4}key: ""/, '$1    key: $2'),
      'issuing Talos API CA key is not allowed',
    ],
    [
      'an unknown document',
      (source: string) => `${source}---\napiVersion: v1alpha1\nkind: NopeConfig\n`,
      '"NopeConfig" "v1alpha1": not registered',
    ],
  ])('refuses %s', async (_, change, text) => {
    const output = await applied(change)
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('code = InvalidArgument')
    expect(output.stderr).toContain(text)
  })
})

describe('reset and shutdown', () => {
  it('takes a control plane out of etcd and brings it back to maintenance mode', async () => {
    const output = await on(
      'cp3',
      'reset',
      '--graceful',
      '--reboot',
      '--system-labels-to-wipe=STATE',
      '--system-labels-to-wipe=EPHEMERAL',
      '--wait',
      '--timeout',
      '30s',
    )
    expect(output.code, output.stderr).toBe(0)
    expect(output.stderr).toContain('task: leaveEtcd action: STOP')
    await fleet.stage('cp3', 'maintenance')
    expect((await on('cp1', 'etcd', 'members')).stdout.trim().split('\n')).toHaveLength(3)
    expect(fleet.node('cp3')).toBeUndefined()
  })

  it('refuses the upgrade of a control plane while only two members are left', async () => {
    const output = await upgrade('cp2', 'v1.12.3')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(
      'error validating etcd for upgrade: etcd member count(2) is insufficient to maintain quorum if upgrade commences',
    )
  })

  it('takes the machine in again without another installation', async () => {
    await fleet.apply('cp3')
    await fleet.stage('cp3', 'running', true)
    await fleet.until(
      'three members',
      async () => (await on('cp1', 'etcd', 'members')).stdout.trim().split('\n').length === 4,
    )
  })

  it('does not know other labels', async () => {
    const output = await on('w1', 'reset', '--system-labels-to-wipe=BOGUS', '--wait=false')
    expect(output.stderr).toContain('failed to get volume status with label "BOGUS"')
  })

  it('leaves the machine off, and without a system when the whole disk was wiped', async () => {
    expect((await on('w1', 'reset', '--graceful=false', '--wait', '--timeout', '30s')).code).toBe(0)
    await fleet.until('off', () => !fleet.powered('w1'))
    const away = await on('w1', 'version')
    expect(away.stderr).toContain('connect: connection refused')
    fleet.machines.get('w1')?.power.on()
    await fleet.stage('w1', 'maintenance')
    expect(machine('w1').version).toBe('v1.12.0')
  })

  it('shuts down', async () => {
    expect((await on('cp2', 'shutdown', '--timeout', '30s')).code).toBe(0)
    await fleet.until('off', () => !fleet.powered('cp2'))
    fleet.machines.get('cp2')?.power.on()
    await fleet.stage('cp2', 'running', true)
  })

  it('loses its power, and comes back by the power button with another boot id', async () => {
    const before = machine('cp2').bootId
    await fleet.machines.get('cp2')?.power.cut()
    await fleet.until('off', () => !fleet.powered('cp2'))
    expect((await on('cp2', 'version')).stderr).toContain('connect: connection refused')
    fleet.machines.get('cp2')?.power.on()
    await fleet.until('booting', () => machine('cp2').bootId !== before)
    await fleet.stage('cp2', 'running', true)
  })
})
