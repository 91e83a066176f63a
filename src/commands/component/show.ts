import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { exampleOf, type LibraryComponent } from '../../lib/repo/component-library.ts'
import { completeComponents, componentFields, library } from './library.ts'

export const componentShow = defineCommand({
  path: 'component show',
  summary: 'Show a piece for applications: what it makes, which variables it takes, how to have it',
  effect: 'read',
  scope: 'repository',
  args: { component: 'its name, as `component list` has it' },
  completeArgs: { component: completeComponents },
  examples: ['k8sops component show volsync', 'k8sops component show netpol/internet -o json'],
  async read(context) {
    const components = await library(context)
    const component = components.find(({ name }) => name === context.args.component)
    if (!component)
      throw new UsageError(`there is no component ${context.args.component}`, {
        next: `one of ${components.map(({ name }) => name).join(', ')}`,
      })
    return {
      kind: 'Component',
      fields: { ...componentFields(component), example: exampleOf(component) ?? null },
      text: textOf(component),
    }
  },
})

function textOf(component: LibraryComponent): string {
  const { name, about, directory, kinds, variables, users } = component
  const width = Math.max(0, ...variables.map((variable) => variable.name.length))
  const lines = variables.map((variable) => `  ${variable.name.padEnd(width)}  ${whence(variable)}`)
  return [
    `${name}  (${directory})`,
    about,
    '',
    `Makes: ${kinds.join(', ')}`,
    ...(lines.length > 0 ? ['Variables:', ...lines] : []),
    `Used by: ${users.map((user) => user.name).join(', ') || 'nobody yet'}`,
    ...(users.length > 0 ? ['', exampleOf(component)] : []),
  ].join('\n')
}

function whence({ fallback, fromSettings }: LibraryComponent['variables'][number]): string {
  if (fallback !== undefined) return `${fallback} unless given`
  return fromSettings ? "from the cluster's settings" : 'has to be given'
}
