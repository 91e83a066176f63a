import type { CommandContext, CompletionSource } from '../../lib/cli/define.ts'
import type { Repository } from '../../lib/config/load.ts'
import { type LibraryComponent, readComponents } from '../../lib/repo/component-library.ts'

export const library = async (context: CommandContext): Promise<LibraryComponent[]> =>
  componentsOf(await context.repository())

function componentsOf({ root, clusters }: Repository): LibraryComponent[] {
  const [first, ...others] = clusters.map(({ settings }) => Object.keys(settings))
  const everywhere = (first ?? []).filter((name) => others.every((names) => names.includes(name)))
  return readComponents(root, new Set(everywhere))
}

export async function completeComponents({ repository }: CompletionSource): Promise<string[]> {
  const found = await repository()
  return found === undefined ? [] : componentsOf(found).map(({ name }) => name)
}

export const componentFields = ({ name, directory, about, kinds, variables, users }: LibraryComponent) => ({
  name,
  about,
  directory,
  kinds,
  variables: variables.map(({ name, fallback = null, fromSettings }) => ({ name, default: fallback, fromSettings })),
  users: users.map((user) => user.name),
})
