import { describe, expect, it } from 'vitest'
import { createGatePort } from '../../src/lib/gates/evaluate.ts'
import { type ClusterPorts, clusterFindings, opFinding, toolFindings } from '../../src/lib/ops/doctor.ts'
import { fluxSkew, kubectlSkew, parseVersion, talosSkew } from '../../src/lib/ops/skew.ts'
import { kubeOf, portsOf, sourcesOf, talosOf, type World } from './gates-world.ts'

const CA = 'CA'
const portsIn = (world: Partial<World>, over: Partial<ClusterPorts> = {}): ClusterPorts => {
  const whole = { reason: '', ...world }
  const { cluster, target } = portsOf(whole)
  return {
    cluster,
    target,
    gates: createGatePort(sourcesOf(whole)),
    kube: kubeOf(whole),
    talos: talosOf(whole),
    hasOp: true,
    hasTalosconfig: true,
    pins: { kubectl: '1.35.4', talosctl: '1.12.0', flux: '2.9.5' },
    signal: new AbortController().signal,
    ...over,
  }
}
const find = async (ports: ClusterPorts, name: string) =>
  (await clusterFindings(ports)).filter((finding) => finding.name.includes(name))

describe('tools', () => {
  const tool = (name: string, more: object) => ({ name, pinned: '1.0.0', found: undefined, ...more })
  it('breaks on what bootstrap needs, warns of the rest', () => {
    const found = { path: '/x', version: '1.0.0', source: 'cache' as const }
    const findings = toolFindings(
      [tool('helm', { found }), tool('talosctl', { onPath: '0.9.0' }), tool('kwok', {})],
      ['helm', 'talosctl'],
    )
    expect(findings.map(({ status }) => status)).toEqual(['ok', 'broken', 'warning'])
    expect(findings[1]).toMatchObject({ found: '0.9.0 on PATH', why: expect.stringContaining('pinned is 1.0.0') })
    for (const { fix } of findings.slice(1)) expect(fix).not.toBe('')
  })

  it('does without op, with a warning', () => {
    expect(opFinding('/usr/bin/op').status).toBe('ok')
    expect(opFinding(undefined)).toMatchObject({ status: 'warning', fix: expect.stringContaining('1Password CLI') })
  })
})

describe('one cluster', () => {
  it('reports nothing as broken that could not be looked at', async () => {
    const noContext = {
      ok: false as const,
      why: 'unreachable' as const,
      detail: '/home/x/.kube/config has no context "apps"',
    }
    const findings = await clusterFindings(
      portsIn({ raw: { '/version': noContext } }, { hasOp: false, hasTalosconfig: false }),
    )
    expect(findings.map(({ status }) => status)).not.toContain('broken')
    expect(findings.filter(({ status }) => status === 'unchecked').map(({ name }) => name)).toEqual([
      '1Password',
      'age key',
      'context apps',
      'machines of apps',
    ])
    for (const { fix } of findings.filter(({ status }) => status === 'unchecked')) expect(fix).not.toBe('')
  })

  it('tells a key that does not decrypt from secrets that are not made yet', async () => {
    const signedIn = 'me'
    const broken = portsIn({ signedIn, secrets: { why: 'undecryptable', detail: 'the age key does not decrypt it' } })
    expect(await find(broken, 'age key')).toMatchObject([{ status: 'broken', why: 'the age key does not decrypt it' }])
    const missing = portsIn({ signedIn, secrets: { why: 'missing-file', detail: 'the file does not exist' } })
    expect(await find(missing, 'age key')).toMatchObject([
      { status: 'unchecked', fix: expect.stringContaining('gensecret') },
    ])
  })

  it('says that nobody is signed in once, and what follows from it', async () => {
    const findings = await find(portsIn({}), '')
    expect(findings.filter(({ area }) => area === 'secrets')).toMatchObject([
      { name: '1Password', status: 'broken' },
      { name: 'age key', status: 'unchecked', why: '1Password is not signed in' },
    ])
  })

  it('looks at every machine, and at its version', async () => {
    const version = [{ metadata: { id: 'version' }, spec: { version: 'v1.12.11' } }]
    const ports = portsIn({
      machines: {
        '10.25.13.11': { state: 'ours', resources: { version } },
        '10.25.13.12': { state: 'maintenance' },
        '10.25.13.13': { state: 'foreign-pki' },
      },
    })
    expect(await find(ports, 'apps-cp1')).toMatchObject([{ status: 'ok' }, { area: 'versions', status: 'ok' }])
    expect(await find(ports, 'apps-cp2')).toMatchObject([{ status: 'warning', fix: 'k8sops bootstrap' }])
    expect(await find(ports, 'apps-cp3')).toMatchObject([
      { status: 'broken', why: expect.stringContaining('another cluster') },
    ])
    expect(await find(ports, 'apps-w1')).toMatchObject([
      { status: 'broken', why: expect.stringContaining('does not answer') },
    ])
  })

  it('refuses to call another cluster ours', async () => {
    const ports = portsIn({
      raw: { '/version': '{"gitVersion":"v1.35.4"}' },
      context: { server: 'https://10.25.13.10:6443', ca: CA },
      secrets: { kubernetesCa: 'OTHER', talosCa: '', hasSecretbox: true },
    })
    expect(await find(ports, 'context apps')).toMatchObject([
      { status: 'broken', why: expect.stringContaining('another cluster') },
    ])
    expect(await find(ports, 'kubectl')).toMatchObject([{ status: 'ok' }])
  })
})

describe('skew', () => {
  it('reads versions in all the ways that tools write them', () => {
    expect(['v1.35.4', '1.35', 'v2.8.6@sha256:abc', 'nothing'].map(parseVersion)).toEqual([
      { major: 1, minor: 35, patch: 4 },
      { major: 1, minor: 35, patch: 0 },
      { major: 2, minor: 8, patch: 6 },
      undefined,
    ])
  })

  it.each([
    ['1.35.4', 'v1.35.0', 'ok'],
    ['1.35.4', 'v1.34.9', 'ok'],
    ['1.35.4', 'v1.33.0', 'broken'],
    ['1.35.4', '', 'unchecked'],
  ])('kubectl %s with an API server %s: %s', (client, server, status) => {
    expect(kubectlSkew(client, JSON.stringify({ gitVersion: server })).status).toBe(status)
  })

  it.each([
    ['1.12.0', 'v1.12.11', 'ok'],
    ['1.12.0', 'v1.12.3', 'warning'],
    ['1.12.0', 'v1.11.5', 'warning'],
    ['1.12.0', 'v1.10.5', 'broken'],
  ])('talosctl %s with a machine %s (v1.12.11 wanted): %s', (client, running, status) => {
    expect(talosSkew(client, running, 'v1.12.11').status).toBe(status)
  })

  it.each([
    ['v2.9.5@sha256:abc', 'ok'],
    ['v2.8.8@sha256:abc', 'ok'],
    ['v2.7.0', 'warning'],
    ['', 'unchecked'],
  ])('flux 2.9.5 with controllers %s: %s', (lastAppliedRevision, status) => {
    const instance = {
      apiVersion: 'x',
      kind: 'FluxInstance',
      metadata: { name: 'flux' },
      status: { lastAppliedRevision },
    }
    expect(fluxSkew('2.9.5', instance).status).toBe(status)
  })
})
