/** The pinned binaries of a lab: those that it starts itself, and those that the commands in it call. */
import { ensureTools, type ToolProgress } from '../tools/build.ts'
import { catalog, toolsFor } from '../tools/catalog.ts'
import { resolveTool } from '../tools/resolve.ts'

/**
 * Absolute paths by name. What this machine lacks is fetched or built, which takes minutes once; what only `validate` and the like call is taken
 * where it is there already: a lab has another HOME, so its commands would not find it.
 * @throws ToolError for the first tool that can't be had
 */
export async function labTools(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<Record<string, string>> {
  const names = [...new Set([...toolsFor('lab'), ...toolsFor('bootstrap')].map(({ name }) => name))]
  let told = ''
  const onProgress = ({ tool, version, state, etaSec }: ToolProgress) => {
    if (state === 'present') return
    const left = etaSec > 90 ? `${Math.round(etaSec / 60)} min` : `${Math.round(etaSec)} s`
    const line = `${tool} ${version}: ${state}${state === 'done' ? '' : `, about ${left} left`}`
    // The same tool reports every second; a new line for each would say nothing new.
    if (`${tool}${state}` !== told) note(line)
    told = `${tool}${state}`
  }
  const found = await ensureTools(names, { env, signal, onProgress })
  const others = catalog
    .filter((tool) => !names.includes(tool.name) && tool.package !== 'crds')
    .flatMap(({ name }): [string, string][] => {
      const there = resolveTool(name, { env })
      return there ? [[name, there.path]] : []
    })
  return Object.fromEntries([...[...found].map(([name, { path }]): [string, string] => [name, path]), ...others])
}
