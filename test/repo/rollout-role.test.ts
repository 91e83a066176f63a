/** The rollout's CronJob may read what a look reads, write its record, take its lock, and nothing else; on the clusters behind it only reads. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { look, openRollout } from '../../src/commands/rollout/opened.ts'
import { defineCommand } from '../../src/lib/cli/define.ts'
import type { Observed } from '../../src/lib/ops/rollout/observe.ts'
import { emptyRecord } from '../../src/lib/ops/rollout/record.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'
import { granted, recorder } from '../helpers/roles.ts'
import { talosOf } from '../unit/gates-world.ts'

const root = join(import.meta.dirname, '../..')
const of = (name: string) =>
  granted(join(root, 'kubernetes/infrastructure/configs/flux-system', name, 'app')).toSorted()

/** One look, as `rollout tick` takes it. */
const looking = defineCommand({
  path: 'look',
  summary: 'Look',
  effect: 'read',
  scope: 'cluster',
  examples: [],
  async read(context) {
    const at = await openRollout(context)
    await look(context, at, { stored: { record: emptyRecord } } as Observed)
    return { kind: 'Look' }
  },
})

test('its roles grant what a look asks for, its record, and nothing else', async () => {
  const asked = new Set<string>()
  for (const web of ['http', 'web']) {
    const { kube, asked: seen } = recorder(web)
    const services = {
      ...createServices(join(root, 'bin')),
      kube: async () => kube,
      talos: async () => talosOf({ reason: '' }),
    }
    const ended = await runCli(['look'], { specs: [looking], services, cwd: root })
    expect(ended.code, ended.stderr).toBe(0)
    for (const one of seen) asked.add(one)
  }
  const record = [
    'create configmaps in flux-system',
    ...['get', 'list', 'patch', 'watch'].map((verb) => `${verb} configmaps in flux-system k8sops-rollout`),
  ]
  expect(of('rollout')).toEqual([...asked, ...record].toSorted())
})

test('on the clusters behind, it may list what the gate commit-live looks at', () => {
  expect(of('rollout-reader')).toEqual([
    'list helm.toolkit.fluxcd.io/helmreleases',
    'list kustomize.toolkit.fluxcd.io/kustomizations',
  ])
})
