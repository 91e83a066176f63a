/** `k8sops lab ...` as an operator types it, and the fault that bootstrap has to fear most: somebody else was faster. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { labDirectory } from '../../../src/lib/config/target.ts'
import { type LabRecord, readRecord } from '../../../src/lib/lab/record.ts'
import {
  applyConfigs,
  controlPlanes,
  type Ended,
  eventually,
  inLab,
  labHome,
  repositoryRoot,
  talosctl,
} from '../../helpers/lab.ts'

const home = labHome()
const dir = labDirectory(home.env, 'default', 'infra')
afterAll(async () => {
  await k8sops('lab', 'down')
  await home.close()
})

function k8sops(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const program = join(repositoryRoot, 'bin/k8sops.js')
    const options = { cwd: repositoryRoot, env: { ...home.env, K8SOPS_CLUSTER: '' }, timeout: 120_000 }
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    )
  })
}

const record = async (): Promise<LabRecord> => (await readRecord(dir))!

test('without a lab: status says so, the rest refuses with what to do', async () => {
  expect(await k8sops('lab', 'status')).toMatchObject({ code: 0, stdout: expect.stringContaining('there is no lab') })
  for (const args of [
    ['exec', '--', 'true'],
    ['fault', 'add', 'api-flaps'],
    ['fault', 'clear'],
  ]) {
    const { code, stderr } = await k8sops('lab', ...args)
    expect(code, args.join(' ')).toBe(2)
    expect(stderr).toContain('k8sops lab up')
  }
  expect(await k8sops('lab', 'down')).toMatchObject({ code: 0 })
})

test.each([
  [['--cluster', 'nowhere'], 'unknown cluster nowhere'],
  [['--pace', 'fast'], 'expected a number'],
  [['--number', '0', '--cluster', 'infra'], 'expected a number'],
  [['--lab-name', 'Not_A_Name', '--cluster', 'infra'], 'no name for a lab'],
])('lab up %j is refused before anything is made', async (args, message) => {
  const { code, stderr } = await k8sops('lab', 'up', ...args)
  expect(code).toBe(2)
  expect(stderr).toContain(message)
  expect(existsSync(home.env.XDG_STATE_HOME ?? '')).toBe(true)
  expect(existsSync(join(home.env.XDG_STATE_HOME ?? '', 'k8sops'))).toBe(false)
})

test('lab up, status, exec', async () => {
  const up = await k8sops('lab', 'up', '--cluster', 'infra', '--pace', '0.1', '-o', 'json')
  expect(up.code, up.stderr).toBe(0)
  const made = JSON.parse(up.stdout) as {
    apiVersion: string
    items: { cluster: string; outcome: string; dir: string }[]
  }
  expect(made).toMatchObject({ apiVersion: 'k8sops.dev/v1', items: [{ cluster: 'infra', outcome: 'created', dir }] })

  const status = JSON.parse((await k8sops('lab', 'status', '-o', 'json')).stdout) as {
    items: { state: string; machines: object[]; rows: { part: string; kind: string }[] }[]
  }
  expect(status.items).toHaveLength(1)
  expect(status.items[0]).toMatchObject({ state: 'running' })
  expect(status.items[0]?.machines).toHaveLength(6)
  expect(status.items[0]?.rows.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['real', 'simulated', 'placeholder']),
  )

  const inside = await k8sops(
    'lab',
    'exec',
    '--',
    'sh',
    '-c',
    'pwd; command -v op; echo $K8SOPS_CLUSTER $HTTPS_PROXY; exit 7',
  )
  expect(inside.code).toBe(7)
  const { number } = await record()
  expect(inside.stdout.trim().split('\n')).toEqual([
    join(dir, 'repo'),
    join(dir, 'bin/op'),
    `infra http://127.13.${number}.1:3128`,
  ])
  expect((await k8sops('lab', 'exec', 'no-such-program')).code).toBe(127)
})

test('the op stand-in writes down what was read, by name and without the value', async () => {
  const value = (await inLab(await record(), 'op', 'read', 'op://vault/item/password')).stdout.trim()
  const log = readFileSync(join(dir, 'logs/op.log'), 'utf8')
  expect(log).toContain('read op://vault/item/password')
  expect(log).not.toContain(value)
})

test('nothing outside can be reached with the lab’s environment', async () => {
  const { code, stderr } = await inLab(
    await record(),
    'helm',
    'show',
    'chart',
    'oci://registry.example.com/charts/x',
    '--version',
    '1.0.0',
  )
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/Forbidden|403/)
})

test('faults: added, listed, cleared, and refused when they make no sense', async () => {
  expect(await k8sops('lab', 'fault', 'add', 'slow-boot', '--node', 'infra-w1', '--param', 'factor=3')).toMatchObject({
    code: 0,
  })
  const list = JSON.parse((await k8sops('lab', 'fault', 'list', '-o', 'json')).stdout) as {
    items: { name: string; active: object[] }[]
  }
  expect(list.items.find(({ name }) => name === 'slow-boot')?.active).toEqual([
    { name: 'slow-boot', node: 'infra-w1', params: { factor: '3' } },
  ])
  for (const args of [
    ['no-such-fault'],
    ['slow-boot', '--node', 'infra-w9'],
    ['api-flaps', '--param', 'x=1'],
    ['foreign-pki'],
  ]) {
    expect((await k8sops('lab', 'fault', 'add', ...args)).code, args.join(' ')).toBe(2)
  }
  expect((await k8sops('lab', 'fault', 'clear')).stdout).toContain('one fault cleared')
})

test('etcd-already-bootstrapped: the other control plane has members, and no second cluster comes about', async () => {
  const lab = await record()
  const [first = '', second = ''] = controlPlanes(lab)
  expect(
    (await k8sops('lab', 'fault', 'add', 'etcd-already-bootstrapped', '--node', lab.hostnames[second] ?? '')).code,
  ).toBe(0)
  await applyConfigs(lab)
  const members = async (node: string) =>
    (await talosctl(lab, node, 'etcd', 'members')).stdout.trim().split('\n').slice(1)
  // All three are members of the one that the other operator made, without any bootstrap of ours. The first says so itself: one that
  // has been added but not joined yet has no data, and would be bootstrapped.
  const rows = await eventually(
    () => members(first),
    (found) => found.length === 3,
    60,
  )
  expect(new Set(rows.map((row) => row.split(/\s+/)[1])).size).toBe(3)
  const refused = await talosctl(lab, first, 'bootstrap')
  expect(refused.stderr).toContain('AlreadyExists')
  expect(await members(first)).toHaveLength(3)
})
