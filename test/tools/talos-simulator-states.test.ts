/** The states of a node as talosctl 1.12 tells them apart (talos.md 1.2), and apply-config in maintenance mode. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changedConfig, startFleet, type TalosFleet } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
beforeAll(async () => {
  fleet = await startFleet(['cp1', 'cp2', 'cp3', 'w1'])
  for (const name of ['cp1', 'cp2', 'cp3', 'w1']) await fleet.stage(name, 'maintenance')
})
afterAll(() => fleet?.stop())

const at = (name: string) => fleet.address(name)
const insecureStatus = (name: string) =>
  fleet.insecure('-n', at(name), 'get', 'machinestatus', '--insecure', '-o', 'json')
const secureStatus = (name: string) =>
  fleet.talosctl('-e', at(name), '-n', at(name), 'get', 'machinestatus', '-o', 'json')
const apply = (name: string, file: string, ...flags: string[]) =>
  fleet.insecure('-n', at(name), 'apply-config', '--insecure', '-f', file, ...flags)

describe('maintenance', () => {
  it('answers without a certificate, and shows itself as nobody in particular', async () => {
    const output = await insecureStatus('cp1')
    expect(output).toMatchObject({ code: 0 })
    expect(JSON.parse(output.stdout)).toMatchObject({
      node: '',
      spec: { stage: 'maintenance', status: { ready: true } },
    })
  })

  it('is not trusted by a client with our CA', async () => {
    const output = await secureStatus('cp1')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('code = Unavailable')
    expect(output.stderr).toContain('x509: certificate signed by unknown authority')
  })

  it('has no version call, but the version as a resource', async () => {
    const call = await fleet.insecure('-n', at('cp1'), 'version', '--insecure')
    expect(call.code).toBe(1)
    expect(call.stderr).toContain('code = Unimplemented desc = API is not implemented in maintenance mode')
    const resource = await fleet.insecure(
      '-n',
      at('cp1'),
      'get',
      'version',
      '--insecure',
      '-o',
      'jsonpath={.spec.version}',
    )
    expect(resource).toMatchObject({ code: 0, stdout: 'v1.12.0' })
  })

  it('shows disks with what a selector needs', async () => {
    const output = await fleet.insecure('-n', at('cp1'), 'get', 'disks', 'nvme0n1', '--insecure', '-o', 'json')
    expect(JSON.parse(output.stdout).spec).toMatchObject({
      dev_path: '/dev/nvme0n1',
      size: 512_000_000_000,
      transport: 'nvme',
      model: 'Lab NVMe',
      serial: 'S-cp1',
    })
  })

  it('keeps what needs the admin role to itself', async () => {
    const output = await fleet.insecure('-n', at('cp1'), 'reset', '--insecure', '--wait=false')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('API is not implemented in maintenance mode')
  })
})

describe('apply-config in maintenance mode', () => {
  it.each(['no-reboot', 'staged'])('refuses --mode=%s', async (mode) => {
    const output = await apply('cp1', fleet.configFile('cp1'), '--mode', mode)
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(
      `code = Unimplemented desc = apply configuration --mode='${mode}' is not supported in maintenance mode`,
    )
  })

  it('takes a dry run without changing anything', async () => {
    const output = await apply('cp1', fleet.configFile('cp1'), '--dry-run')
    expect(output.code).toBe(0)
    expect(output.stderr).toContain('Node is running in maintenance mode and does not have a config yet.')
  })

  const invalid: [string, (source: string) => string, string, string][] = [
    [
      'an unknown machine type',
      (source) => source.replace('type: controlplane', 'type: master'),
      'InvalidArgument',
      'unknown machine type "master"',
    ],
    [
      'a missing CA',
      (source) => source.replace(/ {2}ca:\n {4}crt: .*\n {4}key: .*\n/, ''),
      'InvalidArgument',
      'issuing CA is required (.machine.ca)',
    ],
    [
      'an install disk that is not there',
      (source) => source.replace('<= 1TB', "'> 9TB'"),
      'InvalidArgument',
      'no disks matched the expression: disk.size > 9000000000000u && disk.transport != "" && disk.transport == "nvme" && !disk.readonly && !disk.cdrom',
    ],
    [
      'a Kubernetes version that Talos 1.12 does not run',
      (source) => source.replace('kubelet:v1.35.0', 'kubelet:v1.36.1'),
      'InvalidArgument',
      'version of Kubernetes 1.36.1 is too new to be used with Talos 1.12.0',
    ],
    [
      'an unknown document',
      (source) => `${source}---\napiVersion: v1alpha1\nkind: NopeConfig\n`,
      'Unknown',
      'failed to parse config: "NopeConfig" "v1alpha1": not registered',
    ],
    [
      'an unknown key',
      (source) => source.replace('  install:\n', '  instal: {}\n  install:\n'),
      'Unknown',
      'failed to parse config: unknown keys found during decoding',
    ],
    ['text that is no YAML', () => 'machine:\n  type: [\n', 'Unknown', 'failed to parse config: decode error'],
    [
      'a legacy host name beside HostnameConfig',
      (source) => source.replace('network: {}', 'network: {hostname: other}'),
      'InvalidArgument',
      'static hostname is already set in v1alpha1 config',
    ],
  ]
  it.each(invalid)('refuses %s with its text, and stays as it was', async (_, change, code, text) => {
    const output = await apply('cp1', changedConfig(fleet, 'cp1', change))
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(`error applying new configuration: rpc error: code = ${code} desc = `)
    expect(output.stderr).toContain(text)
    expect(JSON.parse((await insecureStatus('cp1')).stdout).spec.stage).toBe('maintenance')
  })

  it('sends one config with several -n to one random node only (talos#11773)', async () => {
    const output = await fleet.insecure(
      '-n',
      `${at('cp2')},${at('cp3')}`,
      'apply-config',
      '--insecure',
      '-f',
      fleet.configFile('cp2'),
    )
    expect(output.code).toBe(0)
    const configured = () => ['cp2', 'cp3'].filter((name) => fleet.machines.get(name)?.machine.stage !== 'maintenance')
    await fleet.until('one of two has a config', () => configured().length > 0)
    expect(configured()).toHaveLength(1)
  })
})

describe('installation', () => {
  it('says nothing, closes the port, and comes back with our PKI', async () => {
    expect(await apply('cp1', fleet.configFile('cp1'))).toEqual({ code: 0, stdout: '', stderr: '' })
    await fleet.stage('cp1', 'installing')
    const away = await insecureStatus('cp1')
    expect(away.code).toBe(1)
    expect(away.stderr).toContain('connect: connection refused')
    await fleet.until('the secure API answers', async () => (await secureStatus('cp1')).code === 0)

    const insecure = await insecureStatus('cp1')
    expect(insecure.code).toBe(1)
    expect(insecure.stderr).toContain('error reading server preface: remote error: tls: certificate required')
    const secure = JSON.parse((await secureStatus('cp1')).stdout)
    expect(secure.node).toBe(at('cp1'))
    // A control plane waits in `booting` for its etcd.
    await fleet.until('kubelet runs', () => fleet.machines.get('cp1')?.machine.stage === 'booting')
    await fleet.until('only etcd is missing', async () => {
      const { unmetConditions } = JSON.parse((await secureStatus('cp1')).stdout).spec.status
      return unmetConditions.length === 1 && unmetConditions[0].reason === 'etcd not running'
    })
  })

  it('knows its installed version, schematic and extensions', async () => {
    const output = await fleet.talosctl(
      '-e',
      at('cp1'),
      '-n',
      at('cp1'),
      'get',
      'extensions',
      '-o',
      'jsonpath={.spec.metadata.name}{.spec.metadata.version}',
    )
    const schematic = fleet.machines.get('cp1')?.machine.schematic
    expect(schematic).toMatch(/^[0-9a-f]{64}$/)
    // talosctl puts each part of a JSON path on a line of its own.
    expect(output.stdout.trim().split('\n')).toEqual(['intel-ucode', 'v1.12.0', 'schematic', schematic])
  })

  it('goes back to maintenance when the installer image does not exist', async () => {
    const file = changedConfig(fleet, 'w1', (source) =>
      source.replace(/(installer\/[0-9a-f]{64}):v1\.12\.0/, '$1:v1.12.99'),
    )
    expect((await apply('w1', file)).code).toBe(0)
    await fleet.stage('w1', 'installing')
    await fleet.stage('w1', 'maintenance')
  })

  it('is no Talos endpoint at the VIP', async () => {
    const output = await fleet.talosctl('-e', fleet.lab.spec.vip, '-n', at('cp1'), 'version')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('connect: connection refused')
  })

  it('keeps its record free of half-written states', async () => {
    const file = join(fleet.lab.spec.dir, 'machines', `${at('cp1')}.json`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ disk: { device: '/dev/nvme0n1' }, stage: 'booting' })
  })
})
