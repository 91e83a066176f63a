/** Bootstrap outcomes (talos.md 1.3), etcd through real members, roles, routing and reads of a cluster that is up. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { newAuthority } from '../../src/lib/lab/talos/certificates.ts'
import { startFleet, type TalosFleet, talosconfigFor } from '../helpers/talos-fleet.ts'

let fleet: TalosFleet
beforeAll(async () => {
  fleet = await startFleet(['cp1', 'cp2', 'cp3', 'w1'])
})
afterAll(() => fleet?.stop())

const at = (...names: string[]) => names.map((name) => fleet.address(name)).join(',')
const on = (nodes: string, ...args: string[]) => fleet.talosctl('-e', at('cp1'), '-n', nodes, ...args)
const bootstrap = (name: string) => on(at(name), 'bootstrap')

describe('bootstrap', () => {
  it('can not be asked of a machine that is still in maintenance mode', async () => {
    await fleet.stage('cp1', 'maintenance')
    const output = await bootstrap('cp1')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('x509: certificate signed by unknown authority')
  })

  it('is not available before the runtime of containers is up', async () => {
    fleet.faults({ name: 'slow-boot', node: at('cp1'), params: { factor: '20' } })
    await fleet.apply('cp1', 'cp2', 'cp3', 'w1')
    await fleet.until('the API is open', async () => (await on(at('cp1'), 'version')).code === 0)
    const output = await bootstrap('cp1')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(
      `error executing bootstrap: 1 error occurred:\n\t* ${at('cp1')}: rpc error: code = FailedPrecondition desc = bootstrap is not available yet`,
    )
    fleet.faults()
    await fleet.until('CRI is up', () => fleet.machines.get('cp1')?.machine.ready === false && running('cp1'))
  })

  const running = (name: string) => {
    const machine = fleet.machines.get(name)?.machine
    return machine?.stage === 'booting' && fleet.node(name)?.ready === true
  }

  it('is refused while the time is not in sync', async () => {
    fleet.faults({ name: 'time-not-synced', node: at('cp1') })
    const status = await on(at('cp1'), 'get', 'timestatus', '-o', 'jsonpath={.spec.synced}')
    expect(status.stdout.trim()).toBe('false')
    const output = await bootstrap('cp1')
    expect(output.stderr).toContain('code = FailedPrecondition desc = time is not in sync yet')
    fleet.faults()
  })

  it('is refused on a worker', async () => {
    await fleet.stage('w1', 'running')
    const output = await bootstrap('w1')
    expect(output.stderr).toContain(
      'code = FailedPrecondition desc = bootstrap can only be performed on a control plane node',
    )
  })

  it('is refused with several nodes by talosctl itself', async () => {
    const output = await on(at('cp1', 'cp2'), 'bootstrap')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('command "bootstrap" is not supported with multiple nodes')
  })

  it('leaves every control plane without etcd members until it happens', async () => {
    for (const name of ['cp1', 'cp2', 'cp3']) {
      const output = await on(at(name), 'etcd', 'members')
      expect(output.code).toBe(1)
      expect(output.stderr).toContain('code = Unavailable')
      expect(output.stderr).toContain('dial tcp 127.0.0.1:2379: connect: connection refused')
    }
  })

  it('is refused where somebody else has bootstrapped', async () => {
    fleet.faults({ name: 'etcd-already-bootstrapped', node: at('cp2') })
    const output = await bootstrap('cp2')
    expect(output.stderr).toContain('code = AlreadyExists desc = etcd data directory is not empty')
    fleet.faults()
  })

  it('succeeds silently once, and then never again', async () => {
    const [first, second] = await Promise.all([bootstrap('cp1'), bootstrap('cp1')])
    expect([first.code, second.code].sort()).toEqual([0, 1])
    const third = await bootstrap('cp1')
    expect(third.stderr).toContain(
      `${at('cp1')}: rpc error: code = AlreadyExists desc = etcd data directory is not empty`,
    )
    for (const name of ['cp1', 'cp2', 'cp3', 'w1']) await fleet.stage(name, 'running', true)
  })
})

describe('etcd', () => {
  it('has one leader and three voting members on every control plane', async () => {
    const output = await on(at('cp1', 'cp2', 'cp3'), 'etcd', 'status')
    const rows = output.stdout
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((row) => row.split(/\s{2,}/))
    expect(rows.map((row) => row[0])).toEqual(['cp1', 'cp2', 'cp3'].map((name) => at(name)))
    expect(new Set(rows.map((row) => row[4])).size).toBe(1)
    const members = await on(at('cp2'), 'etcd', 'members')
    const names = members.stdout
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((row) => row.split(/\s{2,}/)[2])
    expect(names.sort()).toEqual(['cp1', 'cp2', 'cp3'])
    expect(members.stdout).not.toContain('true')
  })

  it('has no alarms, which is an empty output', async () => {
    expect(await on(at('cp1', 'cp2', 'cp3'), 'etcd', 'alarm', 'list')).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('gives a snapshot that etcdutl accepts', async () => {
    const output = await on(at('cp1'), 'etcd', 'snapshot', 'etcd.db')
    expect(output.code).toBe(0)
    expect(output.stdout).toContain('etcd snapshot saved to "etcd.db"')
    expect(statSync(join(fleet.dir, 'etcd.db')).size % 512).toBe(32)
  })

  it('hands over leadership', async () => {
    const leader = async () => (await on(at('cp1'), 'etcd', 'status')).stdout.split('\n')[1]?.split(/\s{2,}/)[4]
    const before = await leader()
    const id = async (name: string) =>
      (await on(at(name), 'get', 'etcdmembers', 'local', '-o', 'jsonpath={.spec.memberID}')).stdout.trim()
    await fleet.until(
      'every machine knows its member id',
      async () => (await id('cp3')) !== '' && (await id('cp2')) !== '',
    )
    for (const name of ['cp1', 'cp2', 'cp3'])
      if ((await id(name)) === before) await on(at(name), 'etcd', 'forfeit-leadership')
    await fleet.until('another leader', async () => (await leader()) !== before)
  })

  it('defragments, and does not know a member that is none', async () => {
    expect(await on(at('cp1'), 'etcd', 'defrag')).toMatchObject({ code: 0 })
    const output = await on(at('cp1'), 'etcd', 'remove-member', '00000000000000aa')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('code = NotFound')
    expect(output.stderr).toContain('etcdserver: member not found')
  })

  it('is not on workers, which is a warning when others answer', async () => {
    const output = await on(at('cp1', 'w1'), 'etcd', 'status')
    expect(output.code).toBe(0)
    expect(output.stderr).toContain(
      `${at('w1')}: rpc error: code = Unimplemented desc = etcd status is only available on control plane nodes`,
    )
  })
})

describe('kubeconfig, services and resources', () => {
  it('renders the admin kubeconfig with the cluster endpoint', async () => {
    const output = await on(at('cp1'), 'kubeconfig', '-')
    const kubeconfig = parse(output.stdout)
    expect(kubeconfig['current-context']).toBe('admin@apps')
    expect(kubeconfig.clusters[0].cluster.server).toBe(`https://${fleet.lab.spec.vip}:6443`)
    const worker = await on(at('w1'), 'kubeconfig', '-')
    expect(worker.stderr).toContain('code = Unimplemented desc = kubeconfig is only available on control plane nodes')
  })

  it('lists services with health and history', async () => {
    const output = await on(at('cp1'), 'service')
    for (const id of ['apid', 'containerd', 'cri', 'etcd', 'kubelet', 'machined', 'trustd']) {
      expect(output.stdout).toMatch(new RegExp(`${id} +Running +OK`))
    }
    expect(output.stdout).toMatch(/dashboard +Running +\?/)
    expect((await on(at('w1'), 'service')).stdout).not.toContain('etcd')
    expect((await on(at('cp1'), 'service', 'etcd')).stdout).toContain('STATE    Running')
  })

  it('prints resources as concatenated objects, and nothing for an empty list', async () => {
    const output = await on(at('cp1', 'w1'), 'get', 'version', '-o', 'json')
    const objects = output.stdout.split(/(?<=^\})\n/m).map((text) => JSON.parse(text))
    expect(objects.map((object) => [object.node, object.spec.version])).toEqual([
      [at('cp1'), 'v1.12.0'],
      [at('w1'), 'v1.12.0'],
    ])
    expect(await on(at('cp1'), 'get', 'diagnostics', '-o', 'json')).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('knows the members and their roles', async () => {
    const output = await on(
      at('w1'),
      'get',
      'members',
      '-o',
      'jsonpath={.metadata.id}{.spec.machineType}{.spec.addresses[0]}',
    )
    // talosctl puts each part of a JSON path on a line of its own.
    const expected = [
      ['cp1', 'controlplane'],
      ['cp2', 'controlplane'],
      ['cp3', 'controlplane'],
      ['w1', 'worker'],
    ]
    expect(output.stdout.trim().split('\n')).toEqual(expected.flatMap(([name = '', type]) => [name, type, at(name)]))
  })

  it('shows the applied config as a string of documents', async () => {
    const output = await on(at('cp1'), 'get', 'machineconfig', 'v1alpha1', '-o', 'yaml')
    expect(parse(output.stdout).spec).toBe(readFileSync(fleet.configFile('cp1'), 'utf8'))
  })

  it.each([
    [['get', 'bogus'], 'resource "bogus" is not registered'],
    [
      ['get', 'services', 'bogus'],
      "code = NotFound desc = resource Services.v1alpha1.talos.dev(runtime/bogus@undefined) doesn't exist",
    ],
    [['read', '/etc/nothing'], 'stat /etc/nothing: no such file or directory'],
  ])('does not know %s', async (args, text) => {
    const output = await on(at('cp1'), ...args)
    expect(output.code).toBe(1)
    expect(output.stderr).toContain(text)
  })

  it('passes the Talos half of talosctl health, and waits for Kubernetes in the other', async () => {
    const output = await on(at('cp1'), 'health', '--wait-timeout', '2s')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('waiting for etcd members to be consistent across nodes: OK')
    expect(output.stderr).toContain('waiting for all nodes to finish boot sequence: OK')
    expect(output.stderr).toContain(
      'healthcheck error: rpc error: code = DeadlineExceeded desc = context deadline exceeded',
    )
  })
})

describe('routing and roles', () => {
  it('reaches a dead node through a live one as an in-band error', async () => {
    const output = await on(`${at('cp1')},${fleet.lab.spec.vip}`, 'version')
    expect(output.code).toBe(0)
    expect(output.stderr).toContain(`${fleet.lab.spec.vip}: rpc error: code = Unavailable desc = connection error`)
  })

  it('does not forward from a worker, which answers for itself', async () => {
    const own = await fleet.talosctl('-e', at('w1'), '-n', at('w1'), 'version')
    expect(own.code).toBe(0)
    const other = await fleet.talosctl('-e', at('w1'), '-n', at('cp1'), 'version')
    expect(other.code).toBe(1)
    expect(other.stderr).toContain('code = PermissionDenied desc = no request forwarding')
  })

  it.each([
    ['os:reader', ['version'], true],
    ['os:reader', ['get', 'machineconfig'], false],
    ['os:reader', ['reboot', '--wait=false'], false],
    ['os:reader', ['bootstrap'], false],
    ['os:reader', ['etcd', 'members'], true],
    ['os:operator', ['etcd', 'defrag'], true],
    ['os:operator', ['upgrade', '--wait=false', '-i', 'x'], false],
    ['os:etcd:backup', ['etcd', 'snapshot', 'backup.db'], true],
    ['os:etcd:backup', ['service'], false],
  ])('as %s, %s: allowed %s', async (role, args, allowed) => {
    const talosconfig = await talosconfigFor(fleet, role)
    const output = await fleet.insecure('--talosconfig', talosconfig, '-e', at('cp1'), '-n', at('cp2'), ...args)
    if (allowed) expect(output).toMatchObject({ code: 0 })
    else
      expect(output).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('code = PermissionDenied desc = not authorized'),
      })
  })

  it('answers nobody whose certificate is of another CA', async () => {
    const talosconfig = await talosconfigFor(fleet, 'os:admin', await newAuthority('O=talos'))
    const output = await fleet.insecure('--talosconfig', talosconfig, '-e', at('cp1'), '-n', at('cp1'), 'version')
    expect(output.code).toBe(1)
    expect(output.stderr).toContain('code = Unavailable')
    expect(output.stdout).not.toContain('Tag:         v1.12.0\n\tSHA:         lab')
  })
})

describe('recovery of etcd from a snapshot', () => {
  it('begins a new cluster with the old data once every control plane has lost its own', async () => {
    const planes = ['cp1', 'cp2', 'cp3']
    const ids = async () => new Set((await on(at('cp1'), 'etcd', 'members')).stdout.match(/[0-9a-f]{16}/g))
    const before = await ids()
    expect(await on(at('cp1'), 'etcd', 'snapshot', 'kept.db')).toMatchObject({ code: 0 })
    for (const name of planes) {
      const wipe = ['reset', '--graceful=false', '--reboot', '--system-labels-to-wipe=EPHEMERAL', '--wait=false']
      expect(await fleet.talosctl('-e', at(name), '-n', at(name), ...wipe)).toMatchObject({ code: 0 })
    }
    for (const name of planes) await fleet.stage(name, 'rebooting')
    const recover = () => on(at('cp1'), 'bootstrap', '--recover-from', 'kept.db')
    await fleet.until('recovered', async () => (await recover()).code === 0)
    for (const name of planes) await fleet.stage(name, 'running', true)
    const after = await ids()
    expect(after.size).toBe(3)
    // The first member's id is made of its name and address; those who joined it are new.
    expect([...after].filter((id) => before.has(id)).length).toBeLessThanOrEqual(1)
    const again = await recover()
    expect(again.stdout).toContain('recovering from snapshot "kept.db"')
    expect(again.stderr).toContain('code = AlreadyExists')
  })
})
