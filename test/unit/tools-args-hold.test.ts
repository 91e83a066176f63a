/** The argv of holds on Flux objects, as the lines that an operator pastes. */
import { expect, it } from 'vitest'
import { shellLine } from '../../src/lib/exec/render.ts'
import { extendArgs, resumeArgs, suspendArgs } from '../../src/lib/tools/kubectl-hold.args.ts'

it('builds them', () => {
  const objects = { kind: 'HelmRelease', namespace: 'business', names: ['odoo', 'web'] } as const
  const held = { ...objects, names: ['odoo', 'web'] }
  const note = {
    id: 'flux.suspend/20261130T110000Z-00ff',
    owner: 'jane@desk',
    reason: "it's slow",
    since: '2026-11-30T11:00:00Z',
    until: '2026-11-30T13:00:00Z',
    scope: 'app/odoo-web',
  }
  const lines = [
    suspendArgs('apps', { ...held, kind: 'Kustomization', namespace: 'flux-system' }, note, true),
    suspendArgs('apps', held, note, false),
    resumeArgs('apps', held, true),
    extendArgs('apps', held, '2026-11-30T15:00:00Z'),
  ]
  expect(lines.map((command) => shellLine([command])).join('\n')).toMatchInlineSnapshot(`
    "kubectl --context apps -n flux-system patch kustomizations.v1.kustomize.toolkit.fluxcd.io odoo web --type merge --field-manager k8sops -p '{"metadata":{"annotations":{"k8sops.dev/hold-id":"flux.suspend/20261130T110000Z-00ff","k8sops.dev/hold-owner":"jane@desk","k8sops.dev/hold-reason":"it'\\''s slow","k8sops.dev/hold-since":"2026-11-30T11:00:00Z","k8sops.dev/hold-until":"2026-11-30T13:00:00Z","k8sops.dev/hold-scope":"app/odoo-web","k8sops.dev/hold-detached":"true","kustomize.toolkit.fluxcd.io/reconcile":"disabled"}},"spec":{"suspend":true}}'
    kubectl --context apps -n business patch helmreleases.v2.helm.toolkit.fluxcd.io odoo web --type merge --field-manager k8sops -p '{"metadata":{"annotations":{"k8sops.dev/hold-id":"flux.suspend/20261130T110000Z-00ff","k8sops.dev/hold-owner":"jane@desk","k8sops.dev/hold-reason":"it'\\''s slow","k8sops.dev/hold-since":"2026-11-30T11:00:00Z","k8sops.dev/hold-until":"2026-11-30T13:00:00Z","k8sops.dev/hold-scope":"app/odoo-web"}},"spec":{"suspend":true}}'
    kubectl --context apps -n business patch helmreleases.v2.helm.toolkit.fluxcd.io odoo web --type merge --field-manager k8sops -p '{"metadata":{"annotations":{"k8sops.dev/hold-id":null,"k8sops.dev/hold-owner":null,"k8sops.dev/hold-reason":null,"k8sops.dev/hold-since":null,"k8sops.dev/hold-until":null,"k8sops.dev/hold-scope":null,"k8sops.dev/hold-detached":null,"kustomize.toolkit.fluxcd.io/reconcile":null}},"spec":{"suspend":null}}'
    kubectl --context apps -n business patch helmreleases.v2.helm.toolkit.fluxcd.io odoo web --type merge --field-manager k8sops -p '{"metadata":{"annotations":{"k8sops.dev/hold-until":"2026-11-30T15:00:00Z"}}}'"
  `)
})
