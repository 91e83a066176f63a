/** What the Talos simulator computes by itself: configs, disk selectors, schematics, diffs, status texts. */

import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/lib/errors.ts'
import { diffText, immediateProblem, unifiedDiff } from '../../src/lib/lab/talos/config-diff.ts'
import { newXid } from '../../src/lib/lab/talos/events.ts'
import { parseInstallerImage, plainSchematic, schematicId, upgradeProblem } from '../../src/lib/lab/talos/images.ts'
import { chooseDisk } from '../../src/lib/lab/talos/install-disk.ts'
import { parseMachineConfig } from '../../src/lib/lab/talos/machine-config.ts'
import { fillDefinition } from '../../src/lib/lab/talos/resource-definitions.ts'
import { prettySize } from '../../src/lib/lab/talos/resources.ts'
import { StatusError, statusOf, wrapStatus } from '../../src/lib/lab/talos/status.ts'
import { fc } from '../helpers/seeded-check.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const config = (extra = '', documents = '') => `version: v1alpha1
machine:
  type: controlplane
  ca: {crt: ${base64('talos crt')}, key: ${base64('talos key')}}
  kubelet: {image: ghcr.io/siderolabs/kubelet:v1.35.4}
  install: {image: ghcr.io/siderolabs/installer:v1.12.0, disk: /dev/sda, wipe: false}
  features: {rbac: true}
${extra}cluster:
  clusterName: apps
  controlPlane: {endpoint: https://127.13.1.10:6443}
  ca: {crt: ${base64('k8s crt')}}
  network: {podSubnets: [10.44.0.0/16]}
${documents}`

describe('parseMachineConfig', () => {
  it('reads what the lab needs', () => {
    const parsed = parseMachineConfig(
      config('', '---\napiVersion: v1alpha1\nkind: HostnameConfig\nhostname: apps-cp1\n'),
    )
    expect(parsed).toMatchObject({
      hostname: 'apps-cp1',
      role: 'controlplane',
      kubernetesVersion: 'v1.35.4',
      clusterName: 'apps',
      endpoint: 'https://127.13.1.10:6443',
      podSubnets: ['10.44.0.0/16'],
      serviceSubnets: ['10.96.0.0/12'],
      ca: { talos: { crt: 'talos crt', key: 'talos key' }, kubernetes: { crt: 'k8s crt' } },
    })
    expect(parsed.vip).toBeUndefined()
  })

  it.each([
    ['Layer2VIPConfig', config('', '---\nkind: Layer2VIPConfig\nname: 10.25.13.10\n')],
    ['an interface', config('  network: {interfaces: [{interface: eth0, vip: {ip: 10.25.13.10}}]}\n')],
    ['a VLAN', config('  network: {interfaces: [{interface: eth0, vlans: [{vlanId: 1, vip: {ip: 10.25.13.10}}]}]}\n')],
  ])('finds the VIP of %s', (_, source) => {
    expect(parseMachineConfig(source).vip).toBe('10.25.13.10')
  })

  it('takes the host name of older configs without its domain', () => {
    expect(parseMachineConfig(config('  network: {hostname: cp1.example.org}\n')).hostname).toBe('cp1')
  })

  it('names everything that is missing at once', () => {
    expect(() => parseMachineConfig('machine: {type: worker}')).toThrow(ConfigError)
    expect(() => parseMachineConfig('machine: {type: worker}')).toThrow(
      /lacks machine.kubelet.image, machine.install.image, cluster.clusterName, .*machine.ca, cluster.ca/,
    )
    expect(() => parseMachineConfig('machine: [')).toThrow(/not YAML/)
  })
})

describe('chooseDisk', () => {
  const disk = (path: string, size: number, transport = 'nvme') => ({
    path,
    size,
    model: 'LAB 480',
    serial: 'S1',
    transport,
  })
  const disks = [disk('/dev/sda', 480e9, 'sata'), disk('/dev/nvme0n1', 960e9), disk('/dev/nvme1n1', 3.84e12)]
  const chosen = (install: object) => chooseDisk({ machine: { install } }, disks)

  it.each([
    [{ disk: '/dev/nvme1n1' }, '/dev/nvme1n1'],
    [{ diskSelector: { type: 'nvme' } }, '/dev/nvme0n1'],
    [{ diskSelector: { size: '> 1TB' } }, '/dev/nvme1n1'],
    [{ diskSelector: { size: '480GB' } }, '/dev/sda'],
    [{ diskSelector: { size: '<= 448GiB', type: 'ssd' } }, '/dev/sda'],
    [{ diskSelector: { model: 'LAB*' } }, '/dev/sda'],
  ])('%j -> %s', (install, path) => {
    expect(chosen(install)).toMatchObject({ disk: { path } })
  })

  it.each([
    [{ disk: '/dev/vda' }, 'lstat /dev/vda: no such file or directory'],
    [
      { diskSelector: { type: 'hdd', model: 'A?B' } },
      'no disks matched the expression: glob("A?B", disk.model) && disk.transport != "" && disk.rotational && !disk.readonly && !disk.cdrom',
    ],
    [{ diskSelector: { type: 'tape' } }, 'install disk selector is invalid: unsupported disk type "tape"'],
    [{ diskSelector: { name: 'x' } }, 'install disk selector is invalid: selector on name is not supported'],
    [{ diskSelector: { size: 'big' } }, 'install disk selector is invalid: failed to parse disk size big'],
  ])('%j: %s', (install, problem) => {
    expect(chosen(install)).toEqual({ problem })
  })
})

describe('images', () => {
  it('gives a schematic the id that the factory and talhelper 3.1.16 give it', () => {
    const extensions = { customization: { systemExtensions: { officialExtensions: ['siderolabs/intel-ucode'] } } }
    expect(schematicId(extensions)).toBe('2d61dd07b20062062ea671b4d01873506103b67c0f7a4c3fb6cf4ee85585dcb8')
    expect(schematicId({ customization: {} })).toBe(plainSchematic)
    expect(schematicId({})).toBe(plainSchematic)
  })

  it('reads installer references', () => {
    const id = 'a'.repeat(64)
    expect(parseInstallerImage(`factory.talos.dev/metal-installer/${id}:v1.12.3`)).toEqual({
      version: 'v1.12.3',
      schematic: id,
    })
    expect(parseInstallerImage(`factory.talos.dev:443/installer-secureboot/${id}:v1.12.3`)).toEqual({
      version: 'v1.12.3',
      schematic: id,
    })
    expect(parseInstallerImage('ghcr.io/siderolabs/installer:v1.12.3')).toEqual({ version: 'v1.12.3', schematic: '' })
    for (const other of [
      'docker.io/library/busybox:1',
      'ghcr.io/siderolabs/installer',
      `factory.talos.dev/metal-installer/${id}:latest`,
    ]) {
      expect(parseInstallerImage(other)).toBeUndefined()
    }
  })

  it('lets the installer take two minors up and one down', () => {
    expect(upgradeProblem('v1.10.9', 'v1.12.0')).toBeUndefined()
    expect(upgradeProblem('v1.13.2', 'v1.12.11')).toBeUndefined()
    expect(upgradeProblem('v1.9.5', 'v1.12.0')).toBe('host version 1.9.5 is too old to upgrade to Talos 1.12.0')
    expect(upgradeProblem('v1.14.0', 'v1.12.0')).toBe('host version 1.14.0 is too new to downgrade to Talos 1.12.0')
  })
})

describe('config changes', () => {
  it('are immediate or need a reboot, as in Runtime.CanApplyImmediate', () => {
    expect(immediateProblem(config(), config().replace('wipe: false', 'wipe: true'))).toBeUndefined()
    expect(
      immediateProblem(config(), config().replace('podSubnets: [10.44.0.0/16]', 'podSubnets: [10.45.0.0/16]')),
    ).toBeUndefined()
    expect(immediateProblem(config(), config('  nodeLabels: {a: b}\n'))).toBeUndefined()
    expect(immediateProblem(config(), config('', '---\nkind: HostnameConfig\nhostname: x\n'))).toBeUndefined()
    const problem = immediateProblem(
      config(),
      config().replace('rbac: true', 'rbac: false').replace('wipe: false', 'wipe: true'),
    )
    expect(problem).toContain("this config change can't be applied in immediate mode\ndiff:\n--- a\n+++ b\n@@")
    expect(problem).toContain('-        rbac: true\n+        rbac: false')
    expect(problem).not.toContain('wipe: true')
  })

  it('ignore comments and order of nothing else', () => {
    expect(diffText(config(), `# a comment\n${config()}`)).toBe('Config diff:\n\nNo changes.')
  })

  it('as a unified diff turn one text into the other', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 })
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const text = (list: string[]) => list.map((line) => `${line}\n`).join('')
        expect(patched(text(before), unifiedDiff(text(before), text(after)))).toBe(text(after))
      }),
    )
  })
})

/** Applies a unified diff, as patch(1) does. */
function patched(source: string, diff: string): string {
  const lines = source.split('\n').slice(0, -1)
  const output: string[] = []
  let position = 0
  for (const line of diff.split('\n').slice(0, -1)) {
    if (line.startsWith('---') || line.startsWith('+++')) continue
    const hunk = /^@@ -(\d+)/.exec(line)
    if (hunk) {
      const start = Number(hunk[1]) - 1
      output.push(...lines.slice(position, start))
      position = start
      continue
    }
    if (line[0] !== '+') expect(lines[position++]).toBe(line.slice(1))
    if (line[0] !== '-') output.push(line.slice(1))
  }
  return [...output, ...lines.slice(position)].map((line) => `${line}\n`).join('')
}

describe('texts', () => {
  it('of wrapped statuses keep the code and name it once', () => {
    const inner = new StatusError('Unavailable', 'gone')
    const once = wrapStatus('failed to query', inner)
    expect(statusOf(once)).toEqual({ code: 14, message: 'failed to query: rpc error: code = Unavailable desc = gone' })
    expect(statusOf(wrapStatus('outer', once)).message).toBe(
      'outer: failed to query: rpc error: code = Unavailable desc = gone',
    )
    expect(statusOf(wrapStatus('outer', new Error('plain')))).toEqual({ code: 2, message: 'outer: plain' })
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [480e9, '480 GB'],
    [3.84e12, '3.8 TB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(prettySize(bytes)).toBe(text)
  })

  it('of resource types have the aliases that COSI derives', () => {
    const filled = fillDefinition({ type: 'MachineStatuses.runtime.talos.dev', namespace: 'runtime', columns: [] })
    expect(filled).toEqual({
      displayType: 'MachineStatus',
      aliases: ['machinestatus', 'ms'],
      allAliases: [
        'machinestatuses',
        'machinestatuses.runtime',
        'machinestatuses.runtime.talos',
        'machinestatus',
        'ms',
      ],
    })
  })

  it('of event ids sort by time', () => {
    const ids = [newXid(1_000), newXid(2_000), newXid(2_000), newXid(3_600_000)]
    expect([...ids].sort()).toEqual(ids)
    for (const id of ids) expect(id).toMatch(/^[0-9a-v]{20}$/)
  })
})
