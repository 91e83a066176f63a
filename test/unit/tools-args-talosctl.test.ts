import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { reachOf, stateOf, talosMessage } from '../../src/lib/tools/talosctl.parse.ts'

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

  it('does not take a machine whose clock is wrong for a foreign one', () => {
    const late = recorded('foreign-pki-secure')
    const authority = /x509: .*/s
    const stderr = late.stderr.replace(
      authority,
      'x509: certificate has expired or is not yet valid: current time 2026-11-24T19:26:15Z is before 2026-11-24T21:26:14Z',
    )
    expect(reachOf({ ...late, stderr })).toBe('not-valid-now')
    expect(stateOf({ ...late, stderr }, recorded('foreign-pki-insecure'))).toBeUndefined()
    expect(stateOf({ ...late, stderr }, recorded('maintenance-insecure'))).toBe('maintenance')
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
  it('shows what a person wants to read', () => {
    expect(talosMessage(recorded('bootstrap-again'))).toBe(
      '10.25.13.11: AlreadyExists: etcd data directory is not empty'.replace('10.25.13.11', '127.13.208.11'),
    )
    expect(talosMessage({ exitCode: null, stdout: '', stderr: '' })).toContain('exit code none')
  })
})
