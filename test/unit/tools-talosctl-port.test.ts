import { expect, it } from 'vitest'
import { createTalosPort } from '../../src/lib/tools/talosctl.ts'

it('asks no machine without a talosconfig: talosctl would make an empty one, which then passes for a real one', async () => {
  const asked: string[] = []
  const port = createTalosPort({ root: '/nowhere', talosconfig: 'talosconfig' }, async ({ pipeline }) => {
    asked.push(pipeline[0]?.args.join(' ') ?? '')
    throw new Error('nothing may be started')
  })
  const node = '10.25.13.11'
  for (const read of [
    port.get(node, 'version'),
    port.read(node, '/proc/stat'),
    port.etcdStatus(node),
    port.etcdMembers(node),
  ])
    expect(await read).toMatchObject({ ok: false, why: 'unreachable' })
  expect(asked).toEqual([])
})
