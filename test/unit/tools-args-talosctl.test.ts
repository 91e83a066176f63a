import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  parseEtcdAlarms,
  parseEtcdMembers,
  parseEtcdStatus,
  parseResources,
  reachOf,
  stateOf,
  talosMessage,
} from '../../src/lib/tools/talosctl.parse.ts'

interface Recorded {
  exitCode: number
  stdout: string
  stderr: string
}

const recorded = (name: string, version = '1.12.0'): Recorded =>
  JSON.parse(
    readFileSync(
      join(import.meta.dirname, '..', 'fixtures', 'tool-output', 'talosctl', version, `${name}.json`),
      'utf8',
    ),
  )

describe('the five states of a machine, as talosctl 1.12.0 tells them', () => {
  it.each(['ours', 'maintenance', 'foreign-pki', 'certificate-without-address', 'down'])('%s', (state) => {
    expect(stateOf(recorded(`${state}-secure`), recorded(`${state}-insecure`))).toBe(state)
  })

  it('needs only the secure answer when that settles it', () => {
    expect(stateOf(recorded('ours-secure'), undefined)).toBe('ours')
    expect(stateOf(recorded('certificate-without-address-secure'), undefined)).toBe('certificate-without-address')
    expect(stateOf(recorded('down-secure'), undefined)).toBe('down')
  })

  it('does not take a machine in maintenance mode for a foreign one, nor the other way round, from one answer', () => {
    expect(stateOf(recorded('maintenance-secure'), undefined)).toBeUndefined()
    expect(stateOf(recorded('foreign-pki-secure'), undefined)).toBeUndefined()
  })

  it('leaves it open when the connection broke without a reason, so that it is asked again', () => {
    const broken = recorded('configured-insecure-broken-pipe')
    expect(reachOf(broken)).toBe('broken')
    expect(stateOf(recorded('foreign-pki-secure'), broken)).toBeUndefined()
  })

  it('says nothing about whose a configured machine is without a talosconfig', () => {
    expect(stateOf(undefined, recorded('foreign-pki-insecure'))).toBeUndefined()
    expect(stateOf(undefined, recorded('maintenance-insecure'))).toBe('maintenance')
  })

  it('takes a machine whose etcd is not there for one that answered', () => {
    const stderr =
      'error getting members: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection refused"'
    expect(reachOf({ exitCode: 1, stdout: '', stderr })).toBe('refused')
    expect(reachOf({ exitCode: 1, stdout: '', stderr: stderr.replace('127.0.0.1:2379', '10.25.13.11:50000') })).toBe(
      'down',
    )
  })
})

describe('outputs', () => {
  it('reads concatenated objects', () => {
    const one = recorded('ours-secure').stdout
    const read = parseResources(one + one)
    expect(read).toMatchObject({ ok: true, value: [{ metadata: { id: 'machine' }, spec: { stage: 'running' } }, {}] })
    expect(parseResources('')).toEqual({ ok: true, value: [] })
    expect(parseResources('{\n  "broken')).toMatchObject({ ok: false, why: 'bad-output' })
  })

  it('reads the members table by columns, because a member that never started has no name', () => {
    expect(parseEtcdMembers(recorded('etcd-members').stdout)).toEqual({
      ok: true,
      value: [{ id: '8e9e05c52164694d', hostname: 'cp1', learner: false }],
    })
    const unnamed = [
      'NODE            ID                 HOSTNAME   PEER URLS               CLIENT URLS             LEARNER',
      '10.25.13.11     8e9e05c52164694d   apps-cp1   https://10.0.0.1:2380   https://10.0.0.1:2379   false',
      '10.25.13.11     1e9e05c52164694d              https://10.0.0.2:2380                           true',
    ].join('\n')
    expect(parseEtcdMembers(unnamed)).toMatchObject({
      ok: true,
      value: [{ hostname: 'apps-cp1' }, { id: '1e9e05c52164694d', hostname: '', learner: true }],
    })
    expect(parseEtcdMembers('')).toEqual({ ok: true, value: [] })
    expect(parseEtcdMembers('WHAT IS THIS\n')).toMatchObject({ ok: false, why: 'bad-output' })
  })

  it('reads the one row of the status table by its titles, whose cells hold spaces', () => {
    const { stdout } = recorded('etcd-status')
    const status = {
      member: '492308c37e58f6ed',
      leader: '492308c37e58f6ed',
      learner: false,
      raftIndex: 3886,
      raftTerm: 2,
      raftAppliedIndex: 3886,
      errors: '',
      dbSize: '10 MB',
      inUse: '4.1 MB (38.48%)',
    }
    expect(parseEtcdStatus(stdout)).toEqual({ ok: true, value: status })
    // As 1.11 printed it: no PROTOCOL, no STORAGE.
    const older = stdout.replaceAll(/PROTOCOL {3}STORAGE {3}|3\.6\.11 {5}3\.6\.0 {5}/g, '')
    expect(parseEtcdStatus(older)).toEqual({ ok: true, value: status })
    const failing = stdout
      .replace('false', 'true ')
      .replace(/ *\n$/, '     etcdserver: no leader, memberID:1 alarm:NOSPACE\n')
    expect(parseEtcdStatus(failing)).toMatchObject({
      value: { learner: true, errors: 'etcdserver: no leader, memberID:1 alarm:NOSPACE' },
    })
    expect(parseEtcdStatus('')).toMatchObject({ ok: false, why: 'bad-output' })
    expect(parseEtcdStatus(stdout.split('\n')[0] ?? '')).toMatchObject({
      ok: false,
      detail: expect.stringContaining('no row'),
    })
    expect(parseEtcdStatus(stdout.replace('3886 ', 'many '))).toMatchObject({ ok: false, why: 'bad-output' })
    expect(parseEtcdStatus(stdout.replace('LEADER', 'HEAD  '))).toMatchObject({ ok: false, why: 'bad-output' })
    expect(reachOf(recorded('etcd-status-on-a-worker'))).toBe('refused')
    expect(reachOf(recorded('etcd-status-member-down'))).toBe('refused')
  })

  it('reads alarms, and nothing when none is raised', () => {
    const alarm = { member: '492308c37e58f6ed', alarm: 'NOSPACE' }
    expect(parseEtcdAlarms(recorded('etcd-alarms-nospace').stdout)).toEqual({ ok: true, value: [alarm] })
    expect(parseEtcdAlarms(recorded('etcd-alarms-none').stdout)).toEqual({ ok: true, value: [] })
    expect(parseEtcdAlarms('WARNING\n')).toMatchObject({ ok: false, why: 'bad-output' })
  })

  it('shows what a person wants to read', () => {
    expect(talosMessage(recorded('bootstrap-again'))).toBe(
      '10.25.13.11: AlreadyExists: etcd data directory is not empty'.replace('10.25.13.11', '127.13.208.11'),
    )
    expect(talosMessage({ exitCode: null, stdout: '', stderr: '' })).toContain('exit code none')
  })
})
