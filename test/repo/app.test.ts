/** `k8sops app`: what it writes passes validate as it is written, and nothing else is touched. */
import { afterAll, expect, test } from 'vitest'
import { workingCopy } from './working-copy.ts'

const { k8sops, read, remove } = workingCopy()
afterAll(remove)

const list = 'kubernetes/clusters/apps/apps/kustomization.yaml'
const enabledIn = async () => {
  const { stdout } = await k8sops('app', 'list', '-o', 'json')
  const { items } = JSON.parse(stdout) as { items: { name: string; overlays: { enabled: boolean }[] }[] }
  return items.filter(({ overlays }) => overlays.some(({ enabled }) => enabled)).map(({ name }) => name)
}

test('an application with all that there is to choose, and one with nothing, are valid as they are written', async () => {
  const common = ['--cluster', 'apps', '--namespace', 'business', '--image']
  const all = ['--port', '8080', '--host', 'wiki', '--volume', '5Gi', '--database', '--secret', '--internet']
  const wiki = await k8sops('app', 'new', 'wiki', ...common, 'ghcr.io/acme/wiki:1.2.3', ...all)
  expect(wiki, wiki.stderr).toMatchObject({ code: 0 })
  const bot = await k8sops('app', 'new', 'bot', ...common, 'ghcr.io/acme/bot:4.5.6', '--memory', '1Gi')
  expect(bot, bot.stderr).toMatchObject({ code: 0 })
  expect(read('kubernetes/apps/base/bot/deployment.yaml')).toContain('memory: 512Mi')
  expect(await enabledIn()).toEqual(expect.arrayContaining(['bot', 'wiki']))
  const { stdout } = await k8sops('validate', '--cluster', 'apps', '-o', 'json')
  const { items } = JSON.parse(stdout) as { items: { rule: string; file: string; severity: string }[] }
  const about = (name: string) => items.filter(({ file }) => file.includes(`/${name}`))
  expect([...about('wiki'), ...about('bot')]).toEqual([])
  // Both have their row in the table of runbooks, and a runbook with every section.
  expect((await k8sops('runbook', 'list', 'wiki', 'slow')).stdout).toContain('wiki')
})

test('nothing is written twice, nor when an option is wrong: all that is wrong is said at once', async () => {
  const before = read(list)
  const again = ['app', 'new', 'n8n', '--cluster', 'apps', '--namespace', 'business', '--image', 'ghcr.io/a/b:1']
  expect(await k8sops(...again)).toMatchObject({ code: 2, stderr: expect.stringContaining('there already') })
  const wrong = await k8sops(
    'app',
    'new',
    'Wiki',
    '--cluster',
    'apps',
    '--namespace',
    'x',
    '--image',
    'y',
    '--host',
    'z',
  )
  expect(wrong.code).toBe(2)
  for (const what of ['Wiki', 'namespaces/x', '--image y', '--host needs --port']) expect(wrong.stderr).toContain(what)
  expect(read(list)).toBe(before)
})

test('disable takes one line out, enable puts it back where it stood', async () => {
  const before = read(list)
  const off = await k8sops('app', 'disable', 'n8n', '--cluster', 'apps')
  expect(off, off.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('business/n8n') })
  expect(await enabledIn()).not.toContain('n8n')
  expect(read(list)).toBe(before.replace('  - business/n8n\n', ''))
  expect(await k8sops('app', 'enable', 'n8n', '--cluster', 'apps')).toMatchObject({ code: 0 })
  expect(read(list)).toBe(before)
  const elsewhere = await k8sops('app', 'enable', 'n8n', '--cluster', 'infra')
  expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining('clusters/apps/apps/business/n8n') })
})
