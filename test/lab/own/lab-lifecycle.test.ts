/** A lab comes up, says what it is, survives a crash with its state, and leaves nothing when it goes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive, processesOfRun, startTimeOf } from '../../../src/lib/exec/process-info.ts'
import type { ProcessId } from '../../../src/lib/exec/types.ts'
import { labDown } from '../../../src/lib/lab/down.ts'
import { processesOfLab } from '../../../src/lib/lab/processes.ts'
import { readStatus } from '../../../src/lib/lab/read-status.ts'
import { type LabRecord, readRecord } from '../../../src/lib/lab/record.ts'
import { statusRows } from '../../../src/lib/lab/status-rows.ts'
import { atWork } from '../../helpers/kill.ts'
import { bootstrapByHand, eventually, inLab, kubectl, labHome, labStatus, repositoryRoot } from '../../helpers/lab.ts'
import { labCli, patience } from '../../helpers/lab-cli.ts'

const home = labHome()
let apps: LabRecord
let infra: LabRecord

beforeAll(async () => {
  // Both at once, as `--cluster all` does.
  const results = await Promise.all([home.up('apps'), home.up('infra')])
  apps = results[0].record
  infra = results[1].record
})
afterAll(() => home.close())

/** Local addresses on which a process listens: /proc/net/tcp, by the inodes of its sockets. */
function listening(pid: number): string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return []
      }
    }),
  )
  return ['tcp', 'tcp6'].flatMap((family) =>
    readFileSync(`/proc/${pid}/net/${family}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && inodes.has(fields[9] ?? ''))
      .map((fields) => {
        const [address = '', port = ''] = (fields[1] ?? '').split(':')
        const bytes = (address.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16))
        return `${bytes.join('.')}:${Number.parseInt(port, 16)}`
      }),
  )
}

const supervisorOf = async (record: LabRecord) => (await readRecord(record.dir))?.supervisor

describe('a lab that is up', () => {
  test('has six machines in maintenance mode, which the real talosctl finds, and nothing else', async () => {
    const stages = await Promise.all(
      apps.machines.map(async ({ address }) => {
        const answer = await inLab(apps, 'talosctl', '-n', address, 'get', 'machinestatus', '--insecure', '-o', 'json')
        return (JSON.parse(answer.stdout) as { spec: { stage: string } }).spec.stage
      }),
    )
    expect(stages).toEqual(Array(6).fill('maintenance'))
    expect(processesOfLab(apps.id)).toEqual([])
  })

  test('shares no address with another lab, and listens on loopback only', async () => {
    expect(apps.number).not.toBe(infra.number)
    for (const record of [apps, infra]) {
      const addresses = listening((await supervisorOf(record))?.pid ?? 0)
      expect(addresses.length).toBeGreaterThan(6)
      for (const address of addresses)
        expect(address).toMatch(new RegExp(`^127\\.13\\.${record.number}\\.\\d+:\\d{4,5}$`))
    }
  })

  test('has a copy of the repository with its own keys and addresses, on both branches that clusters follow', () => {
    const talconfig = readFileSync(join(apps.root, 'talos/apps/talconfig.yaml'), 'utf8')
    expect(talconfig).toContain(`ipAddress: 127.13.${apps.number}.11`)
    expect(talconfig).not.toContain('CONFIRM:')
    const real = readFileSync(join(repositoryRoot, 'kubernetes/clusters/apps/cluster-settings.yaml'), 'utf8')
    const settings = readFileSync(join(apps.root, 'kubernetes/clusters/apps/cluster-settings.yaml'), 'utf8')
    // Kubernetes refuses loopback addresses in its objects, so what Flux applies keeps the real ones.
    expect(/API_VIP: .*/.exec(settings)?.[0]).toContain(/API_VIP: "?([\d.]+)/.exec(real)?.[1])
    const heads = readdirSync(join(apps.root, '.git/refs/heads')).sort()
    expect(heads).toEqual(['main', 'release'])
    expect(readFileSync(join(apps.root, 'talos/apps/talsecret.sops.yaml'), 'utf8')).toContain('ENC[AES256_GCM')
    const recipient = /age1[0-9a-z]{58}/.exec(readFileSync(join(apps.root, '.sops.yaml'), 'utf8'))?.[0]
    expect(readFileSync(join(repositoryRoot, '.sops.yaml'), 'utf8')).not.toContain(recipient)
  })

  test('says what is real and what is not', async () => {
    const rows = statusRows(await labStatus(apps))
    const kindOf = (part: string) => rows.filter((row) => row.part === part).map(({ kind }) => kind)
    // And what of the Talos API nobody serves here.
    expect(kindOf('machines')).toEqual(['simulated', 'placeholder'])
    expect(kindOf('nodes and pods')).toEqual(['simulated'])
    expect(kindOf('1Password (op)')).toEqual(['simulated'])
    for (const part of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']) {
      expect(rows.find((row) => row.part === part)).toMatchObject({
        kind: 'real',
        state: expect.stringMatching(/^not /),
      })
    }
    expect(kindOf('charts')).toEqual(['placeholder'])
  })

  test('is not made a second time', async () => {
    const again = await home.up('apps')
    expect(again.outcome).toBe('running')
    expect(await supervisorOf(apps)).toEqual((await readRecord(again.record.dir))?.supervisor)
  })
})

/** Whatever these processes have started, and what that has started: pid and start time, which together name a process. */
function descendantsOf(...ancestors: number[]): ProcessId[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // Ended in between.
    }
  }
  const descends = (pid: number): boolean => {
    const parent = parents.get(pid) ?? 0
    return ancestors.includes(parent) || (parent > 1 && descends(parent))
  }
  return [...parents.keys()]
    .filter(descends)
    .map((pid) => ({ pid, startTime: startTimeOf(pid) ?? 'gone' }))
    .filter(({ startTime }) => startTime !== 'gone')
}

describe('after kill -9 of the supervisor and of a command at work', () => {
  test('no process of either is left within a second, and lab up goes on with its state', async () => {
    await bootstrapByHand(apps)
    await kubectl(apps, 'create', 'configmap', 'canary', '--from-literal=a=b')
    const before = await kubectl(apps, 'get', 'configmap', 'canary', '-o', 'jsonpath={.metadata.uid}')
    const children = processesOfLab(apps.id)
    expect(children.length).toBeGreaterThanOrEqual(7)
    for (const { pid, command } of children) {
      // Caches and temporary files of every child belong into the lab's directory.
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      for (const name of ['HOME', 'TMPDIR']) {
        expect(
          environment.find((entry) => entry.startsWith(`${name}=`)),
          command,
        ).toContain(apps.dir)
      }
    }

    const lab = labCli(apps, home.env)
    const command = lab.start(['bootstrap', '--until', 'crds/apply'])
    await atWork('crds/apply')(command, lab)
    const supervisor = (await supervisorOf(apps))!
    const all = descendantsOf(command.pid, supervisor.pid)
    expect(all.length).toBeGreaterThan(children.length)
    process.kill(supervisor.pid, 'SIGKILL')
    process.kill(command.pid, 'SIGKILL')
    const left = async () => [...all.filter(isAlive), ...processesOfLab(apps.id), ...processesOfRun(lab.runs()[0]!.id)]
    await eventually(left, ({ length }) => length === 0, 1)
    expect((await command.ended).signal).toBe('SIGKILL')
    expect((await readStatus((await readRecord(apps.dir))!)).item).toMatchObject({ state: 'crashed', orphans: 0 })

    const again = await home.up('apps')
    expect(again.outcome).toBe('restarted')
    const uid = () => kubectl(apps, 'get', 'configmap', 'canary', '-o', 'jsonpath={.metadata.uid}')
    await eventually(uid, ({ stdout }) => stdout === before.stdout, 30)
  })

  test('a second lab is not touched', async () => {
    expect((await labStatus(infra)).machines).toHaveLength(6)
  })
})

test('kill -9 of the lab up command leaves nothing half-made that the next one could not finish', async () => {
  const cli = spawn(
    process.execPath,
    [join(repositoryRoot, 'bin/k8sops.js'), 'lab', 'up', '--cluster', 'infra', '--lab-name', 'killed'],
    {
      env: home.env,
      stdio: 'ignore',
      cwd: repositoryRoot,
    },
  )
  const dir = join(home.env.XDG_STATE_HOME ?? '', 'k8sops/labs/killed/infra')
  await eventually(async () => existsSync(join(dir, 'repo')), Boolean, 30)
  cli.kill('SIGKILL')
  await once(cli, 'exit')
  const result = await home.up('infra', { name: 'killed' })
  expect(result.record.machines).toHaveLength(6)
  expect((await labStatus(result.record)).machines.map(({ stage }) => stage)).toEqual(Array(6).fill('maintenance'))
})

test('lab down is quick, and leaves neither process nor file', async () => {
  const supervisor = (await supervisorOf(apps))!
  const started = performance.now()
  const result = await labDown((await readRecord(apps.dir))!, false)
  expect(performance.now() - started).toBeLessThan(5_000 * patience)
  expect(result.wasRunning).toBe(true)
  expect(startTimeOf(supervisor.pid)).not.toBe(supervisor.startTime)
  expect(processesOfLab(apps.id)).toEqual([])
  expect(existsSync(apps.dir)).toBe(false)
})
