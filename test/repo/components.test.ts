/** The opt-in pieces of kubernetes/apps/components, each as an application would take it: with the variables that it asks for. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import { loadRepository } from '../../src/lib/config/load.ts'
import { buildPath } from '../../src/lib/repo/build.ts'
import { readComponents } from '../../src/lib/repo/component-library.ts'
import { substitute } from '../../src/lib/repo/envsubst.ts'
import { stringify } from '../../src/lib/repo/yaml.ts'
import { kustomizeBuild } from '../../src/lib/tools/kustomize.ts'
import { createServices } from '../../src/services.ts'
import { runCli } from '../helpers/cli.ts'
import { projectRoot } from './tool.ts'

const directory = 'kubernetes/apps/components'
const components = readdirSync(join(projectRoot, directory), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('/kustomization.yaml'))
  .map((path) => dirname(path))
/** Any directory with objects of its own: a component alone is nothing to build. */
const host = 'kubernetes/infrastructure/base/priority-classes'
let settings: Record<string, string>
beforeAll(async () => {
  const { clusters } = await loadRepository(projectRoot)
  settings = clusters[0]?.settings ?? {}
})

describe('components', () => {
  test.each(components)('%s asks in its first lines for the variables that it needs', async (component) => {
    const text = readFileSync(join(projectRoot, directory, component, 'kustomization.yaml'), 'utf8')
    const comment = text
      .split('\n')
      .filter((line) => line.startsWith('#'))
      .join('\n')
    const asked = [...comment.matchAll(/\b[A-Z][A-Z0-9_]+\b/g)].map(([name]) => [name, `x-${name.toLowerCase()}`])
    const variables = { ...settings, ...Object.fromEntries(asked) }
    const built = await buildPath(
      projectRoot,
      { path: host, components: [posix.relative(host, posix.join(directory, component))] },
      kustomizeBuild(process.env),
    )
    const own = built.map((one) => one.object()).filter(({ kind }) => kind !== 'PriorityClass')
    expect(own).not.toEqual([])
    for (const object of own) {
      const { undefinedNames } = substitute(stringify(object), variables)
      expect(undefinedNames, `${object.kind} of ${component}`).toEqual([])
    }
  })
})

describe('the library', () => {
  test('knows every piece, what has to be given to it, and that whoever has it gives it', () => {
    const library = readComponents(projectRoot, new Set(Object.keys(settings)))
    expect(library.map(({ name }) => name).sort()).toEqual(components.toSorted())
    for (const { name, about, variables, users } of library) {
      const needed = variables.filter(({ fallback, fromSettings }) => fallback === undefined && !fromSettings)
      for (const variable of needed) expect(about, name).toContain(variable.name)
      const given = users.map((user) => needed.filter((variable) => !(variable.name in user.substitute)))
      expect(given.flat(), name).toEqual([])
    }
  })

  test('component show tells how it is had, and which pieces there are when there is none of that name', async () => {
    const show = (name: string) =>
      runCli(['component', 'show', name, '--repo', projectRoot], {
        entries: commands,
        topics,
        services: createServices(join(projectRoot, 'bin')),
        env: {},
      })
    const { stdout, code } = await show('volsync')
    expect(code).toBe(0)
    expect(stdout).toContain('VOLSYNC_CAPACITY        5Gi unless given')
    expect(stdout).toMatch(
      /components:\n {4}- \S+apps\/components\/volsync\n {2}postBuild:\n {4}substitute:\n {6}APP: "/,
    )
    expect(await show('nothing')).toMatchObject({ code: 2, stderr: expect.stringContaining('netpol/sso') })
  })
})
