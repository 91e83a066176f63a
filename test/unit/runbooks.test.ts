/** Runbooks as `k8sops runbook` reads them; that their blocks run is shown in a lab (test/lab/runbooks.test.ts). */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import { blocksOf, readRunbooks } from '../../src/lib/repo/runbooks.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'

const root = join(import.meta.dirname, '../..')

test('blocks are told by the line that they begin on, their section, and which lab they are for, or why none', () => {
  const markdown =
    '# one\n\nabout\n\n## When\nx\n## Command\n```bash\necho a\n```\n```yaml\nno: block\n```\n```bash\n# not-in-lab: no BGP here\necho b\n```\n```bash\n# in-lab-of: infra\necho c\n```\n'
  expect(blocksOf('one', markdown)).toEqual([
    { id: 'one:8', section: 'Command', text: 'echo a\n' },
    { id: 'one:14', section: 'Command', text: '# not-in-lab: no BGP here\necho b\n', notInLab: 'no BGP here' },
    { id: 'one:18', section: 'Command', text: '# in-lab-of: infra\necho c\n', labOf: 'infra' },
  ])
})

test('every runbook says what it is about', () => {
  for (const { name, about } of readRunbooks(root)) expect(about, name).toMatch(/.{20,}/)
})

const k8sops = (...args: string[]) =>
  runCli(['runbook', ...args, '--repo', root], {
    entries: commands,
    topics,
    services: createServices(join(root, 'bin')),
    env: {},
  })

test('they are found by what is wrong', async () => {
  const { stdout } = await k8sops('list', 'pvc', 'pending', '-o', 'json')
  const { items } = JSON.parse(stdout) as { items: { name: string; symptoms: string[] }[] }
  expect(items.map(({ name }) => name)).toEqual(expect.arrayContaining(['openebs', 'rook-ceph']))
  for (const { symptoms } of items) expect(symptoms.join(' ')).toMatch(/pvc.*pending/i)
})

test('one block is printed as it is pasted, and a line without one is refused with those that there are', async () => {
  const { id, text } = readRunbooks(root).find(({ name }) => name === 'flux')!.blocks[0]!
  expect((await k8sops('show', id)).stdout.trim()).toBe(text.trim())
  expect(await k8sops('show', 'flux:1')).toMatchObject({ code: 2, stderr: expect.stringContaining(id) })
  expect(await k8sops('show', 'nothing')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('k8sops runbook list'),
  })
})
