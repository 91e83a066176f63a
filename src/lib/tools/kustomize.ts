/** kustomize 5.8 as a reader: `kustomize build`. Only what the repository model needs; nothing here writes. */
import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { promisify } from 'node:util'
import { ConfigError, ToolError } from '../errors.ts'
import { resolveTool } from './resolve.ts'

const run = promisify(execFile)

/** Flux builds without load restrictions, inside the repository; so do we. */
export const buildArgs = (directory: string): string[] => ['build', '--load-restrictor=LoadRestrictionsNone', directory]

/** The pinned kustomize, by its real path, which is the same for whoever finds it through a link. Throws ConfigError when it is not on this machine. */
export function kustomizePath(env: NodeJS.ProcessEnv): string {
  const tool = resolveTool('kustomize', { env })
  if (!tool) throw new ConfigError('kustomize is not installed in the pinned version', [], { next: 'npm run setup' })
  return realpathSync(tool.path)
}

/**
 * Gives the function that builds one directory and returns the manifests as YAML.
 * @throws ConfigError when the pinned kustomize is not on this machine; the function rejects with ToolError when a build fails
 */
export function kustomizeBuild(env: NodeJS.ProcessEnv): (directory: string) => Promise<string> {
  const path = kustomizePath(env)
  return async (directory) => {
    const args = buildArgs(directory)
    try {
      const { stdout } = await run(path, args, { maxBuffer: 256 * 1024 * 1024 })
      return stdout
    } catch (cause) {
      const { stderr = '' } = cause as { stderr?: string }
      const reason = stderr.trim().replace(/^Error: /, '') || String(cause)
      throw new ToolError(reason, { command: `kustomize ${args.join(' ')}`, cause })
    }
  }
}
