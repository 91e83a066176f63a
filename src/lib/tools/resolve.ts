/**
 * Finds a pinned tool without building anything: our cache (which links what mise installed), then PATH. Only a binary of exactly
 * the pinned version counts, since an argv that is right for one version of talosctl can be wrong for the next.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, lstatSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cacheRoot } from './cache-root.ts'
import { catalog, pinnedVersion, recipesDir, type Tool, toolNamed } from './catalog.ts'

export interface ResolvedTool {
  /** The binary, or for `flux-crds` the directory. */
  path: string
  version: string
  source: 'cache' | 'path' | 'mise'
}

export interface ResolveOptions {
  env?: NodeJS.ProcessEnv
  /** The directory with one recipe (go.mod, go.sum) per tool; default: k8sops's own. */
  recipesRoot?: string
}

/**
 * Where a pinned tool is, or undefined when this machine doesn't have that version. Starts no process unless the
 * tool is only on PATH, where its version has to be asked for.
 */
export function resolveTool(name: string, options: ResolveOptions = {}): ResolvedTool | undefined {
  const env = options.env ?? process.env
  const tool = toolNamed(name)
  const version = pinnedVersion(tool, options.recipesRoot)
  const cached = cachedPath(tool, options)
  if (isThere(cached, tool)) return { path: cached, version, source: isLink(cached) ? 'mise' : 'cache' }
  const onPath = firstOnPath(tool.name, env)
  if (!onPath) return undefined
  const real = realpathSync(onPath)
  // A lab has another HOME, and so another cache; what it puts on PATH are links into ours. The entry's name says the version.
  if (real.endsWith(join('/', cacheKey(tool, options.recipesRoot), tool.name)))
    return { path: onPath, version, source: 'cache' }
  // mise puts `<data>/installs/<tool>/<version>/...` itself on PATH, so its version needn't be asked for.
  if (/\/mise\/installs\//.test(real) && real.split('/').some((part) => part === version || part === `v${version}`)) {
    return { path: onPath, version, source: 'mise' }
  }
  if (reportedVersion(tool, onPath) === version) return { path: onPath, version, source: 'path' }
  return undefined
}

export interface ToolVersion {
  name: string
  pinned: string
  found: ResolvedTool | undefined
  /** What the first binary of that name on PATH is, if it is another version. */
  onPath?: string
}

/** Every tool with its pin and where it is, for `k8sops doctor`. Asks the binaries on PATH that our cache lacks. */
export function toolVersions(options: ResolveOptions = {}): ToolVersion[] {
  return catalog.map((tool) => {
    const found = resolveTool(tool.name, options)
    const stranger = found ? undefined : firstOnPath(tool.name, options.env)
    const other = stranger && reportedVersion(tool, stranger)
    return {
      name: tool.name,
      pinned: pinnedVersion(tool, options.recipesRoot),
      found,
      ...(other === undefined ? {} : { onPath: other }),
    }
  })
}

/** The file (or directory) that a built tool has in our cache, whether or not it is there. */
export function cachedPath(tool: Tool, options: ResolveOptions = {}): string {
  const entry = join(toolCache(options.env), cacheKey(tool, options.recipesRoot))
  return tool.package === 'crds' ? entry : join(entry, tool.name)
}

/** Where built tools are kept. */
export function toolCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheRoot(env), 'tools')
}

const keys = new Map<string, string>()
/** The cache entry of a tool: its name says the version, and changes whenever the recipe or the platform does. */
export function cacheKey(tool: Tool, recipesRoot = recipesDir()): string {
  const memo = `${recipesRoot}#${tool.name}`
  const known = keys.get(memo)
  if (known) return known
  const version = pinnedVersion(tool, recipesRoot)
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(recipesRoot, tool.dir, file)))
  hash.update(`${linkerFlags(tool, version)} ${tool.package} ${process.platform}/${process.arch}`)
  const key = `${tool.name}-${version}-${hash.digest('hex').slice(0, 8)}`
  keys.set(memo, key)
  return key
}

/** The value of `go build -ldflags` for a tool at a version. */
export function linkerFlags(tool: Tool, version: string): string {
  const [major = '', minor = ''] = version.split('.')
  const slots: Record<string, string> = { version, tag: `v${version}`, major, minor }
  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (whole, slot: string) => slots[slot] ?? whole)
  const values = Object.entries(tool.linkerValues ?? {}).map(([name, value]) => `-X ${name}=${fill(value)}`)
  return ['-s -w', ...values].join(' ')
}

/** What a binary says about itself, or undefined when it doesn't run or (the Flux controllers) doesn't tell. */
export function reportedVersion(tool: Tool, path: string): string | undefined {
  const run = selfCheck(tool, path)
  return run.ok ? run.version : undefined
}

/** Runs a tool's self check. */
export function selfCheck(tool: Tool, path: string): { ok: boolean; version?: string; output: string } {
  if (!tool.selfCheck) return { ok: true, output: '' }
  const run = spawnSync(path, tool.selfCheck.args, { encoding: 'utf8', timeout: 20_000 })
  const output = run.error ? String(run.error) : `${run.stdout}${run.stderr}`
  const match = tool.selfCheck.pattern.exec(output)
  return { ok: match !== null, output, ...(match?.[1] ? { version: match[1] } : {}) }
}

function isThere(path: string, tool: Tool): boolean {
  return tool.package === 'crds'
    ? Boolean(statSync(path, { throwIfNoEntry: false })?.isDirectory())
    : isExecutable(path)
}

function isLink(path: string): boolean {
  return Boolean(lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The first executable of that name on PATH. */
export function firstOnPath(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const dirs = (env.PATH ?? '').split(delimiter).filter(Boolean)
  return dirs.map((dir) => join(dir, name)).find(isExecutable)
}
