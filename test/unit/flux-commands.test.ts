/** `k8sops flux status|errors` and `holds list` from argv to stdout and exit code, over two clusters. */
import { afterEach, expect, it } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import type { KubeObject, KubePort } from '../../src/lib/types.ts'
import { runCli, worldServices } from '../helpers/cli.ts'
import { makeWorld, type World } from '../helpers/engine-world.ts'
import { fluxObject, noteOf } from './flux-world.ts'

const worlds: World[] = []
afterEach(() => {
  for (const world of worlds.splice(0)) world.remove()
})

const away = { ok: false as const, why: 'unreachable' as const, detail: 'connect ECONNREFUSED' }

/** Lists objects by kind; a cluster without any objects is away. */
const kubeOf = (objects: KubeObject[] | undefined): KubePort => ({
  list: async ({ kind }, _signal, reduce = (object) => object) =>
    objects === undefined ? away : { ok: true, value: objects.filter((object) => object.kind === kind).map(reduce) },
  watch: async () => {},
  raw: async () => away,
})

/** Clusters `test` and `other` of test/helpers/cli.ts. */
function k8sops(argv: string[], clusters: { test?: KubeObject[]; other?: KubeObject[] }) {
  const world = makeWorld()
  worlds.push(world)
  const services = worldServices(world, {
    kube: async ({ cluster }) => kubeOf(clusters[cluster.name as 'test' | 'other']),
  })
  return runCli(argv, { services, entries: commands, topics })
}

const broken = fluxObject('odoo', { ready: 'False', reason: 'BuildFailed', message: 'no such file\nsecond line' })
const held = fluxObject('web', { suspend: true, annotations: noteOf({ until: '2020-01-01T00:00:00Z' }) })

it('shows clusters side by side, and says with 3 that something is unwell', async () => {
  const ended = await k8sops(['flux', 'status', '--cluster', 'all'], { test: [fluxObject('odoo')], other: [broken] })
  expect(ended.code).toBe(3)
  expect(ended.stdout).toMatch(/^CLUSTER +KIND +NAME +STATE/)
  expect(ended.stdout).toMatch(/^test +Kustomization +flux-system\/odoo +ready/m)
  expect(ended.stdout).toMatch(/^other +Kustomization +flux-system\/odoo +failed .*no such file/m)
})

it('a cluster that is away hides nobody, and does not read as well', async () => {
  const ended = await k8sops(['flux', 'status', '--cluster', 'all', '-o', 'json'], { test: [fluxObject('odoo')] })
  expect(ended.code).toBe(4)
  const { items, unreachable } = JSON.parse(ended.stdout) as { items: object[]; unreachable: { cluster: string }[] }
  expect([items.length, unreachable.map(({ cluster }) => cluster)]).toEqual([1, ['other']])
  expect(ended.stderr).toContain('other tells nothing')
  expect((await k8sops(['flux', 'status', '--cluster', 'other'], { test: [] })).code).toBe(4)
})

it('prints whole messages, and nothing when nothing has failed', async () => {
  const ended = await k8sops(['flux', 'errors', '--cluster', 'all'], { test: [fluxObject('odoo')], other: [broken] })
  expect(ended.code).toBe(3)
  expect(ended.stdout).toContain('  no such file\n  second line')
  expect((await k8sops(['flux', 'errors', '--cluster', 'test'], { test: [] })).stdout).toContain('nothing has failed')
})

it('lists what is held on all clusters without being asked for them, and says with 3 that one has expired', async () => {
  const ended = await k8sops(['holds', 'list', '-o', 'json'], {
    test: [held],
    other: [fluxObject('x', { suspend: true })],
  })
  expect(ended.code).toBe(3)
  const { items } = JSON.parse(ended.stdout) as { items: { cluster: string; owner: string | null; expired: boolean }[] }
  expect(items.map(({ cluster, owner, expired }) => [cluster, owner, expired])).toEqual([
    ['test', 'jane@desk', true],
    ['other', null, false],
  ])
})
