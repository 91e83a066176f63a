/** The weekly report's CronJob may read what the command reads, and nothing else. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { report } from '../../src/commands/report.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'
import { granted, recorder } from '../helpers/roles.ts'
import { talosOf } from '../unit/gates-world.ts'

const root = join(import.meta.dirname, '../..')
const directory = join(root, 'kubernetes/infrastructure/controllers/flux-system/report/app')

test('its roles grant what the report asks for, and nothing else', async () => {
  const asked = new Set<string>()
  for (const web of ['http', 'web']) {
    const { kube, asked: seen } = recorder(web)
    const services = {
      ...createServices(join(root, 'bin')),
      kube: async () => kube,
      talos: async () => talosOf({ reason: '' }),
    }
    const ended = await runCli(['report', '--cluster', 'infra'], { specs: [report], services, cwd: root })
    expect(ended.code, ended.stderr).toBe(0)
    for (const one of seen) asked.add(one)
  }
  const named = (list: Iterable<string>) => [...new Set(list)].toSorted()
  expect(named(granted(directory))).toEqual(named(asked))
})
