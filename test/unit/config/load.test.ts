import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { refuseUnconfirmed } from '../../../src/lib/config/confirm.ts'
import {
  checkRepository,
  clusterNamed,
  findRepository,
  loadRepository,
  openRepository,
  requireSound,
} from '../../../src/lib/config/load.ts'
import { ConfigError, UsageError } from '../../../src/lib/errors.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-load-'))
  cpSync(join(import.meta.dirname, '../../fixtures/config/valid'), root, { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true }))

const edit = (file: string, from: string, to: string) =>
  writeFileSync(join(root, file), readFileSync(join(root, file), 'utf8').replace(from, to))

test('is found upwards from a directory inside it, and nowhere else', () => {
  const inside = join(root, 'talos/east/patches')
  expect(findRepository(inside)).toBe(root)
  expect(findRepository(root)).toBe(root)
  expect(findRepository(tmpdir())).toBeUndefined()
})

test('reads the facts of both clusters', async () => {
  const repository = await openRepository(root)
  expect(repository).toMatchObject({
    root,
    defaultCluster: 'east',
    rollout: { order: ['east', 'west'], soakHours: 24 },
    ageKey: 'op://vault/item/field',
    problems: [],
  })
  expect(clusterNamed(repository, 'west')).toEqual({
    name: 'west',
    nodes: [
      { hostname: 'west-cp1', address: '10.1.2.11', controlPlane: true },
      { hostname: 'west-cp2', address: '10.1.2.12', controlPlane: true },
      { hostname: 'west-cp3', address: '10.1.2.13', controlPlane: true },
      { hostname: 'west-w1', address: '10.1.2.14', controlPlane: false },
    ],
    vip: '10.1.2.10',
    endpoint: 'https://10.1.2.10:6443',
    talosVersion: 'v1.12.11',
    kubernetesVersion: 'v1.35.4',
    settings: expect.objectContaining({ CLUSTER_ID: '2', VLAN_ID: '12' }),
    context: 'west',
    follows: 'release',
    gates: {
      ceph: { clusters: 1, tolerate: ['OSDMAP_FLAGS'] },
      cnpg: { clusters: 1 },
      volsync: { sources: 0 },
      daemonsets: [],
      deployments: [],
    },
    confirm: [],
  })
})

test('every problem of every file is found in one pass', async () => {
  edit('k8sops.yaml', 'defaultCluster: east', 'defaultCluster: north')
  edit('talos/west/talconfig.yaml', 'ipAddress: 10.1.2.14', 'ipAddress: 10.9.9.9')
  edit('kubernetes/clusters/east/cluster-settings.yaml', 'VLAN_ID: "11"', 'VLAN_ID: 11')
  const repository = await openRepository(root)
  expect(() => requireSound(repository)).toThrow(ConfigError)
  expect(repository.problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
    'kubernetes/clusters/east/cluster-settings.yaml:16',
    'k8sops.yaml:3',
    'talos/west/talconfig.yaml:41',
  ])
})

test('an unknown cluster is refused with the names there are', async () => {
  const repository = await openRepository(root)
  const refused = () => clusterNamed(repository, 'north')
  expect(refused).toThrow(UsageError)
  expect(refused).toThrow('unknown cluster north')
  try {
    refused()
  } catch (error) {
    expect((error as UsageError).detail.next).toContain('east, west')
  }
})

test('without a repository says where it looked', async () => {
  const empty = join(root, 'empty')
  rmSync(join(root, 'k8sops.yaml'))
  mkdirSync(empty)
  await expect(openRepository(empty)).rejects.toThrow(`no k8sops.yaml in ${empty} or above it`)
  await expect(openRepository('/', empty)).rejects.toThrow('holds no k8sops.yaml')
})

test('a mapped copy loads without problems: only the check knows the rules that its addresses break', async () => {
  for (const text of ['ipAddress: 10.1.1.1', 'https://10.1.1.1'])
    edit('talos/east/talconfig.yaml', text, text.replace('10.1.1', '127.13.4'))
  const repository = await loadRepository(root)
  expect(repository.problems).toEqual([])
  expect(clusterNamed(repository, 'east')).toMatchObject({ vip: '127.13.4.10', endpoint: 'https://127.13.4.10:6443' })
  expect(await checkRepository(repository)).not.toEqual([])
})

test('CONFIRM marks are collected with their lines, and refuse a write', async () => {
  edit(
    'talos/east/talconfig.yaml',
    'talosVersion: v1.12.11',
    'talosVersion: v1.12.11 # CONFIRM: newest; `talosctl version`',
  )
  edit('kubernetes/clusters/east/cluster-settings.yaml', 'VLAN_ID: "11"', 'VLAN_ID: "11" # CONFIRM: on the switch')
  const repository = await openRepository(root)
  const east = clusterNamed(repository, 'east')
  expect(east.confirm).toEqual([
    { file: 'talos/east/talconfig.yaml', line: 2, message: 'newest; `talosctl version`' },
    { file: 'kubernetes/clusters/east/cluster-settings.yaml', line: 16, message: 'on the switch' },
  ])
  expect(() => refuseUnconfirmed(east)).toThrow(ConfigError)
  expect(() => refuseUnconfirmed(east)).toThrow('cluster east: 2 facts still to be confirmed')
  expect(() => refuseUnconfirmed(clusterNamed(repository, 'west'))).not.toThrow()
})

test('a mention of the mark in prose or in a value is no mark', async () => {
  edit('talos/east/talconfig.yaml', 'talosVersion:', '# Facts carry a `# CONFIRM: ...` comment.\ntalosVersion:')
  const repository = await openRepository(root)
  expect(clusterNamed(repository, 'east').confirm).toEqual([])
})
