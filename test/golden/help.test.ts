import { expect, test } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import { helpTopics } from '../../src/lib/cli/help-topics.ts'
import { commandReference } from '../../src/lib/cli/reference.ts'
import { runCli } from '../helpers/cli.ts'

/** A change of any help text is a difference in review; `vitest run --project golden -u` writes it anew. */
const file = (name: string) => `./help/${name.replaceAll(' ', '-')}.txt`

test('k8sops --help', async () => {
  const { stdout, code } = await runCli(['--help'], { entries: commands, topics })
  expect(code).toBe(0)
  await expect(stdout).toMatchFileSnapshot(file('k8sops'))
})

test.each(commands.filter(({ hidden }) => !hidden).map(({ path }) => path))('k8sops %s --help', async (path) => {
  const { stdout, code } = await runCli([...path.split(' '), '--help'], { entries: commands, topics })
  expect(code).toBe(0)
  await expect(stdout).toMatchFileSnapshot(file(path))
})

test.each(Object.keys(helpTopics))('k8sops help %s', async (topic) => {
  const { stdout } = await runCli(['help', topic], { entries: commands, topics })
  await expect(stdout).toMatchFileSnapshot(file(`topic ${topic}`))
})

test('docs/commands.md', async () => {
  const specs = await Promise.all(commands.filter(({ hidden }) => !hidden).map(({ load }) => load()))
  await expect(commandReference(specs, topics)).toMatchFileSnapshot('../../docs/commands.md')
})

test('what the index says of a command is what the command says of itself', async () => {
  const specs = await Promise.all(commands.map(async (entry) => ({ entry, spec: await entry.load() })))
  expect(specs.filter(({ entry, spec }) => entry.path !== spec.path).map(({ entry }) => entry.path)).toEqual([])
  const parents = commands.flatMap(({ path }) => {
    const words = path.split(' ')
    return words.slice(1).map((_, index) => words.slice(0, index + 1).join(' '))
  })
  expect(parents.filter((parent) => !topics[parent])).toEqual([])
})

test('every example names a command that there is', async () => {
  const known = commands.map(({ path }) => path)
  for (const entry of commands) {
    const { examples } = await entry.load()
    for (const example of examples) {
      const [, line = ''] = /k8sops (.*)/.exec(example) ?? []
      expect(known.filter((path) => `${line} `.startsWith(`${path} `)), example).not.toEqual([])
    }
  }
})
