import { expect, test } from 'vitest'
import type { Plan, RunResult } from '../../src/lib/types.ts'
import { createColours } from '../../src/lib/ui/colours.ts'
import { renderPlan } from '../../src/lib/ui/plan-text.ts'
import { renderReport, renderResult } from '../../src/lib/ui/result-text.ts'

const colours = createColours({}, {})

/** One of each: skip, require, exec with secrets and pipes and retries, wait, group, both Ctrl-C policies. */
const plan: Plan = {
  apiVersion: 'k8sops.dev/v1',
  kind: 'Plan',
  operation: 'bootstrap',
  cluster: 'apps',
  params: { until: 'flux/sync', skipFlux: false },
  basis: {
    commit: '4f1a5b19c0ffee0123456789',
    digest: 'sha256:9f86d081884c7d659a2feaa0c55ad015',
    observed: { machines: { 'apps-cp1': 'maintenance', 'apps-cp2': 'unknown' }, source: { ref: 'release', differing: [] }, op: 'unknown' },
  },
  scope: 'cluster',
  steps: [
    {
      id: 'preflight',
      title: 'Check tools and access',
      action: { kind: 'wait' },
      require: [{ gate: 'tools-present', params: { tools: 'talosctl,kubectl' } }, { gate: 'op-signed-in' }],
      verify: [],
      interrupt: 'now',
      timeoutSec: 30,
    },
    ...['apps-cp1', 'apps-cp2'].map((node): Plan['steps'][number] => ({
      id: `${node}/apply-config`,
      title: `Configure ${node}`,
      group: 'apply-config',
      action: {
        kind: 'exec',
        pipeline: [{ tool: 'talosctl', args: ['-n', '10.25.13.11', 'apply-config', '-f', `talos/apps/clusterconfig/${node}.yaml`] }],
        retry: { while: ['connection refused'], everySec: 2 },
      },
      unless: [{ gate: 'node-configured', params: { node } }],
      verify: [{ gate: 'node-configured', params: { node } }],
      interrupt: 'now',
      timeoutSec: 300,
      runbook: 'docs/runbooks/talos.md',
    })),
    {
      id: 'secrets/first',
      title: 'First secrets',
      action: {
        kind: 'exec',
        pipeline: [
          { tool: 'op', args: ['inject', '-i', 'bootstrap/apps/secrets.yaml.tpl'] },
          {
            tool: 'kubectl',
            args: ['--context', 'apps', 'apply', '--server-side', '-f', '-'],
            env: { NOTE: "it's quoted" },
            secretEnv: { SOPS_AGE_KEY: 'op://k8s-ops/sops age/private key' },
          },
        ],
      },
      verify: [{ gate: 'secret-present', params: { name: 'sops-age' } }],
      interrupt: 'after',
      timeoutSec: 90,
    },
  ],
}

const result: RunResult = {
  apiVersion: 'k8sops.dev/v1',
  kind: 'RunResult',
  runId: 'bootstrap-apps-20261123T181502-3f9c',
  operation: 'bootstrap',
  cluster: 'apps',
  outcome: 'stopped',
  exitCode: 6,
  startedAt: '2026-11-23T18:15:02.000Z',
  seconds: 95.4,
  changed: true,
  steps: [
    { id: 'preflight', title: 'Check', state: 'skipped', startedAt: '2026-11-23T18:15:02.100Z', seconds: 0.2, reason: 'all there' },
    { id: 'apps-cp1/apply-config', title: 'Configure', state: 'done', startedAt: '2026-11-23T18:15:02.300Z', seconds: 61.5, waitedSec: 58.2, waitedFor: ['machine apps-cp1: booting', 'machine apps-cp1: installing'] },
    { id: 'secrets/first', title: 'Secrets', state: 'failed', startedAt: '2026-11-23T18:16:03.800Z', seconds: 33.6, reason: 'First secrets: kubectl failed with exit code 1\nserver | said no' },
    { id: 'flux/sync', title: 'Flux', state: 'not-started' },
  ],
  error: { name: 'ToolError', message: 'First secrets: op | kubectl failed with exit code 1\n$ op inject ...', next: 'sign in' },
  resume: 'k8sops run resume bootstrap-apps-20261123T181502-3f9c --cluster apps',
}

test('plan', async () => {
  const around = { root: '/repo', context: 'apps', server: undefined, talosEndpoints: ['10.25.13.11', '10.25.13.12'] }
  await expect(`${renderPlan(plan, around, colours)}\n`).toMatchFileSnapshot('./plan/every-kind-of-step.txt')
})

test('result', async () => {
  await expect(`${renderResult(result, colours)}\n`).toMatchFileSnapshot('./result/stopped.txt')
})

test('report', async () => {
  await expect(renderReport(result)).toMatchFileSnapshot('./result/stopped.md')
})
