/** The pinned tools, for tests that compare with the real thing. A missing one fails the test: nothing is skipped. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { resolveTool } from '../../src/lib/tools/resolve.ts'

export const projectRoot = join(import.meta.dirname, '../..')

export function toolPath(name: string): string {
  const tool = resolveTool(name)
  if (!tool) throw new Error(`${name} is not installed in the pinned version: npm run setup`)
  return tool.path
}

/** Standard output of a tool; its whole environment is `env`. */
export function runTool(
  name: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string>; input?: string } = {},
): string {
  return execFileSync(toolPath(name), args, {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
    ...options,
  })
}
