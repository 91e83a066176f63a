import { describe, expect, it } from 'vitest'
import { parsePlan } from '../../src/lib/cli/plan-file.ts'
import { gates } from '../../src/lib/gates/catalog.ts'
import { fillGate } from '../../src/lib/gates/fill.ts'
import type { Gate } from '../../src/lib/gates/types.ts'
import { planBootstrap } from '../../src/lib/ops/bootstrap.ts'
import { listedReleases, secretStoresOf, secretsOf } from '../../src/lib/ops/bootstrap-files.ts'
import { type BootstrapInput, whileApiIsAway } from '../../src/lib/ops/bootstrap-input.ts'
import { holds } from '../../src/lib/repo/chart-objects.ts'
import { entryKustomization } from '../../src/lib/repo/flux.ts'
import { manifest } from '../../src/lib/repo/manifests.ts'
import type { Check, Step } from '../../src/lib/types.ts'
import { fc } from '../helpers/seeded-check.ts'
import { cluster } from './gates-world.ts'

const basis = { commit: 'c', digest: 'd', observed: {} }
const release = (name: string) => {
  const [namespace = '', short = ''] = name.split('/')
  return { namespace, name: short, version: '1.2.3', runbook: 'docs/runbooks/x.md' }
}
const input = (params: Partial<BootstrapInput['params']> = {}, nodes = cluster().nodes): BootstrapInput => ({
  cluster: { ...cluster(), nodes },
  target: { context: 'apps', talosconfig: 'talos/apps/clusterconfig/talosconfig' },
  ageKey: 'op://vault/item/key',
  files: {
    secretsTemplate: 'bootstrap/apps/secrets.yaml.tpl',
    crdsHelmfile: 'bootstrap/helmfile.d/00-crds.yaml.gotmpl',
    appsHelmfile: 'bootstrap/helmfile.d/01-apps.yaml.gotmpl',
    releases: [
      'kube-system/cilium',
      'kube-system/coredns',
      'flux-system/flux-operator',
      'flux-system/flux-instance',
    ].map(release),
    crdGroups: ['cert-manager.io'],
    crds: ['certificates.cert-manager.io'],
    secrets: [{ namespace: 'flux-system', name: 'sops-age', keys: ['age.agekey'] }],
    fluxKustomizations: ['flux-system/flux-system'],
    secretStores: [
      {
        kustomization: 'flux-system/onepassword-store',
        names: ['onepassword'],
        beforeFlux: true,
        runbook: 'docs/runbooks/onepassword-store.md',
      },
      { kustomization: 'flux-system/vault', names: ['vault'], beforeFlux: false, runbook: 'docs/runbooks/vault.md' },
    ],
  },
  params: { skipFlux: false, nodeTimeoutSec: 600, ...params },
})
const storesIn = (dependsOn: string[]) => {
  const kustomization = { ...entryKustomization('stores'), name: 'stores', dependsOn }
  const store = 'apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {name: one}\n'
  const found = ['cilium', 'late'].map((name) => ({ namespace: 'x', name, kustomization: `flux-system/${name}` }))
  return secretStoresOf([{ kustomization, manifests: [manifest(store, undefined)] }], found, [release('x/cilium')])
}
const ids = (steps: Step[]) => steps.map(({ id }) => id)
const plan = (params?: Partial<BootstrapInput['params']>) => planBootstrap(input(params), basis)

describe('the plan of a bootstrap', () => {
  it('has its steps in the order in which a cluster can grow', () => {
    expect(ids(plan().steps)).toEqual([
      'preflight',
      'talos/genconfig',
      'machines/answer',
      'apps-cp1/apply-config',
      'apps-cp2/apply-config',
      'apps-cp3/apply-config',
      'apps-w1/apply-config',
      'etcd/bootstrap',
      'etcd/quorum',
      'kubeconfig/merge',
      'api/ready',
      'nodes/registered',
      'secrets/apply',
      'crds/apply',
      'kube-system/settle',
      'cilium/sync',
      'coredns/sync',
      'onepassword-store/apply',
      'nodes/ready',
      'flux-system/settle',
      'flux-operator/sync',
      'flux-instance/sync',
      'flux/reconciled',
    ])
  })

  it.each([
    [['flux-system/cilium'], true],
    [['flux-system/cilium', 'flux-system/late'], false],
    [['flux-system/unknown'], false],
    [[], false],
  ])('a store whose Kustomization depends on %j is applied before Flux: %s', (dependsOn, beforeFlux) => {
    expect(storesIn(dependsOn)).toMatchObject([{ names: ['one'], beforeFlux }])
  })

  it('can be saved and read again', () => {
    expect(parsePlan(JSON.stringify(plan()), 'plan.json')).toEqual(plan())
  })

  it('names only gates that there are, with exactly their parameters', () => {
    const checks = plan().steps.flatMap((step): Check[] => [
      ...(step.unless ?? []),
      ...(step.require ?? []),
      ...step.verify,
    ])
    for (const { gate, params } of checks) {
      const definition = (gates as Record<string, Gate>)[gate]
      expect(definition, gate).toBeDefined()
      if (definition) expect(() => fillGate(gate, definition, params ?? {})).not.toThrow()
    }
  })

  it('lets every step that acts find out for itself whether it is done, and look at the result', () => {
    for (const step of plan().steps.filter(({ action }) => action.kind === 'exec')) {
      expect(step.unless?.length, step.id).toBeGreaterThan(0)
      expect(step.verify.length, step.id).toBeGreaterThan(0)
      expect(step.timeoutSec, step.id).toBeGreaterThan(0)
    }
  })

  it('configures machines one process each, side by side, and no worker before every control plane', () => {
    const apply = plan().steps.filter(({ id }) => id.endsWith('/apply-config'))
    const groups = apply.map(({ group }) => group)
    expect(groups).toEqual([...Array(3).fill('configure-control-planes'), 'configure-workers'])
    for (const { action } of apply) {
      const args = action.kind === 'exec' ? (action.pipeline[0]?.args ?? []) : []
      expect(args.filter((arg) => arg === '-n')).toHaveLength(1)
    }
  })

  it('can bring about no second etcd: one fixed machine, and only when every control plane was asked', () => {
    const step = plan().steps.find(({ id }) => id === 'etcd/bootstrap')
    expect(step?.require).toContainEqual({
      gate: 'etcd-absent',
      params: { nodes: '10.25.13.11,10.25.13.12,10.25.13.13' },
    })
    expect(step?.unless).toEqual([
      { gate: 'etcd-bootstrapped', params: { nodes: '10.25.13.11,10.25.13.12,10.25.13.13' } },
    ])
    expect(step?.action).toMatchObject({
      pipeline: [{ tool: 'talosctl', args: expect.arrayContaining(['10.25.13.11', 'bootstrap']) }],
    })
    expect(step?.interrupt).toBe('after')
    const action = step?.action.kind === 'exec' ? step.action : undefined
    const retried = (text: string) => (action?.retry?.while ?? []).some((source) => new RegExp(source, 'i').test(text))
    expect(retried('rpc error: code = FailedPrecondition desc = bootstrap is not available yet')).toBe(true)
    expect(retried('rpc error: code = FailedPrecondition desc = time is not in sync yet')).toBe(true)
    expect(
      retried('rpc error: code = FailedPrecondition desc = bootstrap can only be performed on a control plane node'),
    ).toBe(false)
    expect(retried('rpc error: code = AlreadyExists desc = etcd data directory is not empty')).toBe(false)
    expect(action?.accept?.some((source) => new RegExp(source).test('code = AlreadyExists desc = etcd'))).toBe(true)
  })

  it('calls talhelper only when there are secrets for it to read: else it would mint a new PKI', () => {
    for (const step of plan().steps) {
      if (step.action.kind !== 'exec' || !step.action.pipeline.some(({ tool }) => tool === 'talhelper')) continue
      expect(step.require, step.id).toContainEqual({ gate: 'talsecret-decrypts' })
    }
  })

  it('dials nodes, never the VIP, for Talos', () => {
    const talos = plan()
      .steps.flatMap(({ action }) => (action.kind === 'exec' ? action.pipeline : []))
      .filter(({ tool }) => tool === 'talosctl')
    expect(talos.flatMap(({ args }) => args)).not.toContain('10.25.13.10')
  })

  it('never holds a secret: only names of them', () => {
    const commands = plan().steps.flatMap(({ action }) => (action.kind === 'exec' ? action.pipeline : []))
    expect(commands.flatMap(({ secretEnv }) => Object.values(secretEnv ?? {}))).toEqual(['op://vault/item/key'])
    expect(JSON.stringify(plan())).not.toContain('AGE-SECRET-KEY')
  })

  it('stops before Flux with --skip-flux', () => {
    expect(ids(plan({ skipFlux: true }).steps).at(-1)).toBe('nodes/ready')
    expect(JSON.stringify(plan({ skipFlux: true }).steps)).not.toContain('flux-operator/sync')
  })

  it.each([
    ['etcd/bootstrap', 'etcd/bootstrap'],
    ['apps-cp2', 'apps-cp2/apply-config'],
    ['cilium', 'cilium/sync'],
    ['preflight', 'preflight'],
  ])('ends with --until %s', (until, last) => {
    expect(ids(plan({ until }).steps).at(-1)).toBe(last)
  })

  it('refuses --until a step that it does not have, and lists them', () => {
    expect(() => plan({ until: 'etc' })).toThrow('bootstrap has no such step')
    expect(() => plan({ until: 'flux/reconciled', skipFlux: true })).toThrow('no such step')
  })

  it('refuses a cluster without a control plane', () => {
    const workers = cluster().nodes.filter((node) => !node.controlPlane)
    expect(() => planBootstrap(input({}, workers), basis)).toThrow('no control plane')
  })

  it('is plain JSON, and the same for the same input', () => {
    expect(JSON.parse(JSON.stringify(plan()))).toEqual(plan())
  })

  it('has step ids that are unique for any set of machines', () => {
    const node = fc.record({
      hostname: fc.stringMatching(/^[a-z]{1,6}[0-9]?$/),
      address: fc.ipV4(),
      controlPlane: fc.boolean(),
    })
    const nodes = fc.uniqueArray(node, { minLength: 1, maxLength: 9, selector: ({ hostname }) => hostname })
    fc.assert(
      fc.property(
        nodes.filter((all) => all.some(({ controlPlane }) => controlPlane)),
        (all) => {
          const found = ids(planBootstrap(input({}, all), basis).steps)
          expect(new Set(found).size).toBe(found.length)
        },
      ),
    )
  })
})

it.each([
  // kubectl 1.35 and helm 4.2 against an API server that went away, as the lab's fault api-flaps showed them.
  [
    'failed to download openapi: Get "https://10.25.13.10:6443/openapi/v2?timeout=32s": dial tcp 10.25.13.10:6443: connect: connection refused',
    true,
  ],
  ['Error: Kubernetes cluster unreachable: Get "https://10.25.13.10:6443/version": EOF', true],
  ['The connection to the server 10.25.13.10:6443 was refused - did you specify the right host or port?', true],
  // A registry that is away must stop the run at once, not be asked for ten minutes.
  [
    'Get "https://quay.io/v2/jetstack/charts/cert-manager/manifests/v1.20.2": dial tcp 1.2.3.4:443: connect: connection refused',
    false,
  ],
  ['Get "https://quay.io/v2/": proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused', false],
  ['Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress', false],
])('%j is worth another try: %s', (text, again) => {
  const { while: patterns } = whileApiIsAway('https://10.25.13.10:6443')
  expect(patterns.some((source) => new RegExp(source, 'i').test(text))).toBe(again)
})

it.each([
  ['a.b', true],
  ['a.c', false],
  ['!a.c', true],
  ['none.at.all', false],
  ['!none', true],
  ['a.channel=standard', true],
  ['a.channel!=standard', false],
  ['none!=standard', true],
  ['empty', false],
  ['list', true],
])('judges the condition %s of a chart as its template would: %s', (condition, verdict) => {
  expect(holds(condition, { a: { b: true, c: false, channel: 'standard' }, empty: {}, list: ['x'] })).toBe(verdict)
})

describe('bootstrap files', () => {
  it('reads the list of a helmfile', () => {
    const template = `releases:
{{- /* release, then what it needs */}}
{{- range list
    (list "kube-system/cilium")
    (list "kube-system/coredns" "kube-system/cilium")
}}
  - name: {{ (list "not" "this") }}
`
    expect(listedReleases(template)).toEqual([
      { name: 'kube-system/cilium', rest: [] },
      { name: 'kube-system/coredns', rest: ['kube-system/cilium'] },
    ])
  })

  it('reads names and keys of the first secrets, not their values', () => {
    const template = `# comment
---
apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
---
apiVersion: v1
kind: Secret
metadata:
  name: deploy-key
  namespace: flux-system
data:
  identity: "{{ op://vault/item/identity-base64 }}"
stringData:
  known_hosts: github.com ssh-ed25519 AAAA
`
    expect(secretsOf(template)).toEqual([
      { namespace: 'flux-system', name: 'deploy-key', keys: ['identity', 'known_hosts'] },
    ])
  })
})
