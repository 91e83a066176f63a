/**
 * Puts pinned tools into our cache: prebuilt by mise where it has them, else built from their Go modules. A lock per
 * tool keeps two processes from building the same thing.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { startTimeOf } from '../exec/process-info.ts'
import { catalog, pinnedVersion, type Tool, toolNamed } from './catalog.ts'
import { buildTool, prefetchModules, run } from './compile.ts'
import { acquireLock } from './lock.ts'
import {
  cachedPath,
  cacheKey,
  firstOnPath,
  type ResolvedTool,
  type ResolveOptions,
  resolveTool,
  selfCheck,
  toolCache,
} from './resolve.ts'

export interface ToolProgress {
  tool: string
  version: string
  state: 'present' | 'waiting' | 'installing' | 'building' | 'done' | 'failed'
  /** Seconds spent on this tool so far. */
  elapsedSec: number
  /** Estimate of the seconds left for this tool and all after it. */
  etaSec: number
}

export interface EnsureOptions extends ResolveOptions {
  onProgress?: (event: ToolProgress) => void
  signal?: AbortSignal
}

/**
 * Finds or makes every named tool, in catalogue order. Throws a ToolError for the first that can't be had; what was
 * made before it stays.
 */
export async function ensureTools(names: string[], options: EnsureOptions = {}): Promise<Map<string, ResolvedTool>> {
  const wanted = new Set(names.map((name) => toolNamed(name).name))
  const tools = catalog.filter((tool) => wanted.has(tool.name))
  const found = new Map<string, ResolvedTool>()
  const missing: Tool[] = []
  for (const tool of tools) {
    const resolved = resolveTool(tool.name, options)
    if (!resolved) missing.push(tool)
    else {
      found.set(tool.name, resolved)
      report(options, tool, 'present', 0, 0)
    }
  }
  if (missing.length > 0) sweepAbandonedBuilds(toolCache(options.env))
  const pace = new Pace()
  const prefetch = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, prefetch.signal]) : prefetch.signal
  const prefetched = prefetchModules(
    missing.slice(1).filter((tool) => !usesMise(tool, options)),
    { ...options, signal },
  )
  try {
    for (const [index, tool] of missing.entries()) {
      found.set(tool.name, await ensureTool(tool, missing.slice(index + 1), pace, options))
    }
  } finally {
    prefetch.abort(new Error('no longer needed'))
    await prefetched
  }
  return found
}

async function ensureTool(tool: Tool, later: Tool[], pace: Pace, options: EnsureOptions): Promise<ResolvedTool> {
  const started = performance.now()
  const elapsed = () => (performance.now() - started) / 1000
  let state: ToolProgress['state'] = 'waiting'
  const tell = () =>
    report(options, tool, state, elapsed(), state === 'done' ? pace.left(later) : pace.left(later, tool, elapsed()))
  const enter = (next: ToolProgress['state']) => {
    state = next
    tell()
  }
  const ticker = setInterval(tell, 1000)
  try {
    const lockFile = join(toolCache(options.env), '.locks', cacheKey(tool, options.recipesRoot))
    const release = await acquireLock(lockFile, options.signal, () => state !== 'waiting' || tell())
    try {
      const ready = resolveTool(tool.name, options) ?? (await installWithMise(tool, () => enter('installing'), options))
      if (ready) {
        enter('done')
        return ready
      }
      const begin = elapsed()
      enter('building')
      await buildTool(tool, options)
      pace.learn(tool, elapsed() - begin)
      enter('done')
      return { path: cachedPath(tool, options), version: pinnedVersion(tool, options.recipesRoot), source: 'cache' }
    } finally {
      release()
    }
  } catch (error) {
    enter('failed')
    throw error
  } finally {
    clearInterval(ticker)
  }
}

function report(
  options: EnsureOptions,
  tool: Tool,
  state: ToolProgress['state'],
  elapsedSec: number,
  etaSec: number,
): void {
  options.onProgress?.({
    tool: tool.name,
    version: pinnedVersion(tool, options.recipesRoot),
    state,
    elapsedSec,
    etaSec,
  })
}

/** Estimates the time left from the catalogue's seconds, corrected by how long builds took on this machine so far. */
class Pace {
  private expected = 0
  private spent = 0
  learn(tool: Tool, seconds: number): void {
    this.expected += tool.coldSec
    this.spent += seconds
  }
  left(later: Tool[], current?: Tool, elapsedSec = 0): number {
    // 20 s of weight for the catalogue's own figure: one tiny tool must not throw the estimate about.
    const factor = (this.spent + 20) / (this.expected + 20)
    const rest = later.reduce((sum, tool) => sum + tool.coldSec, 0) * factor
    return rest + (current ? Math.max(current.coldSec * factor - elapsedSec, 1) : 0)
  }
}

/** Asks mise for the prebuilt tool. Any failure means "build it": mise may be offline or lack the tool. */
async function installWithMise(
  tool: Tool,
  starting: () => void,
  options: EnsureOptions,
): Promise<ResolvedTool | undefined> {
  const env = options.env ?? process.env
  const mise = usesMise(tool, options)
  if (!mise) return undefined
  starting()
  const version = pinnedVersion(tool, options.recipesRoot)
  const spec = `${tool.mise}@${version}`
  const install = await run(mise, ['install', '--yes', spec], { env, signal: options.signal })
  options.signal?.throwIfAborted()
  if (install.code !== 0) return undefined
  const which = await run(mise, ['exec', spec, '--', 'sh', '-c', `command -v ${tool.name}`], {
    env,
    signal: options.signal,
  })
  const path = which.stdout.trim()
  if (which.code !== 0 || selfCheck(tool, path).version !== version) return undefined
  // A link in our cache finds it at once next time, also in a shell where mise is not activated.
  const link = cachedPath(tool, options)
  mkdirSync(dirname(link), { recursive: true })
  rmSync(link, { force: true })
  symlinkSync(path, link)
  return { path: link, version, source: 'mise' }
}

function usesMise(tool: Tool, options: EnsureOptions): string | undefined {
  return tool.mise ? firstOnPath('mise', options.env) : undefined
}

/** Removes what builds of processes that are gone left behind. */
function sweepAbandonedBuilds(root: string): void {
  const builds = join(root, '.build')
  if (!existsSync(builds)) return
  for (const entry of readdirSync(builds)) {
    if (startTimeOf(Number.parseInt(entry, 10)) === undefined)
      rmSync(join(builds, entry), { recursive: true, force: true })
  }
}
