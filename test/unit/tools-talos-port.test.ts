import { expect, it } from 'vitest'
import { createTalosPort } from '../../src/lib/tools/talos-port.ts'

it('says that there is no talosconfig before it dials anybody', async () => {
  const port = createTalosPort({ root: '/nowhere', talosconfig: 'talosconfig' }, async () => {
    throw new Error('nothing may be started')
  })
  const node = '10.25.13.11'
  for (const read of [
    port.get(node, 'version'),
    port.read(node, '/proc/stat'),
    port.etcdStatus(node),
    port.etcdMembers(node),
  ])
    expect(await read).toMatchObject({ ok: false, why: 'unreachable', detail: expect.stringContaining('talosconfig') })
})
