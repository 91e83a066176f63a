/**
 * Builds one tool from its Go module. It is made in a directory of its own and renamed into place when it has shown
 * that it runs, so an interrupted build leaves nothing half-installed.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ToolError } from '../errors.ts'
import { pinnedVersion, recipesDir, type Tool } from './catalog.ts'
import { cacheKey, firstOnPath, linkerFlags, type ResolveOptions, selfCheck, toolCache } from './resolve.ts'

export interface BuildOptions extends ResolveOptions {
  signal?: AbortSignal
}

/** Builds a tool into the cache; the caller holds its lock. */
export async function buildTool(tool: Tool, options: BuildOptions): Promise<void> {
  const root = toolCache(options.env)
  const work = join(root, '.build', `${process.pid}-${cacheKey(tool, options.recipesRoot)}`)
  const out = join(work, 'out')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  try {
    if (tool.package === 'crds') await collectCrds(tool, out, options)
    else await compile(tool, work, out, options)
    const target = join(root, cacheKey(tool, options.recipesRoot))
    rmSync(target, { recursive: true, force: true })
    renameSync(out, target)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function compile(tool: Tool, work: string, out: string, options: BuildOptions): Promise<void> {
  const version = pinnedVersion(tool, options.recipesRoot)
  const recipe = join(options.recipesRoot ?? recipesDir(), tool.dir)
  const dir = tool.missingEmbed ? await copyWithEmbed(tool, tool.missingEmbed, recipe, work, options) : recipe
  const binary = join(out, tool.name)
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-ldflags',
    linkerFlags(tool, version),
    '-o',
    binary,
    tool.package,
  ]
  await go(tool, dir, args, options)
  const check = selfCheck(tool, binary)
  if (check.ok && (check.version ?? version) === version) return
  throw new ToolError(`${tool.name} ${version} was built but does not report that version`, {
    command: [binary, ...(tool.selfCheck?.args ?? [])].join(' '),
    output: tail(check.output),
    next: `Check "linkerValues" and "selfCheck" of ${tool.name} in src/lib/tools/catalog.ts.`,
  })
}

/** A build directory whose go.mod takes the tool's module from a copy that has the directory it embeds. */
async function copyWithEmbed(
  tool: Tool,
  embed: string,
  recipe: string,
  work: string,
  options: BuildOptions,
): Promise<string> {
  const tag = `v${pinnedVersion(tool, options.recipesRoot)}`
  const source = await moduleDir(tool, recipe, `${tool.module}@${tag}`, options)
  // Not fs.cp: the module cache is read-only, and so would the copied directories be.
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const target = join(work, 'module', relative(source, entry.parentPath))
    mkdirSync(target, { recursive: true })
    copyFileSync(join(entry.parentPath, entry.name), join(target, entry.name))
  }
  const stub = join(work, 'module', embed)
  mkdirSync(stub, { recursive: true })
  writeFileSync(
    join(stub, 'k8sops.yaml'),
    '# The Go module has no generated manifests; this file only satisfies go:embed.\n',
  )
  for (const file of ['go.mod', 'go.sum']) writeFileSync(join(work, file), readFileSync(join(recipe, file)))
  writeFileSync(join(work, 'go.mod'), `\nreplace ${tool.module} ${tag} => ./module\n`, { flag: 'a' })
  return work
}

/** Copies the CustomResourceDefinitions of every module that the recipe requires. */
async function collectCrds(tool: Tool, out: string, options: BuildOptions): Promise<void> {
  const recipe = join(options.recipesRoot ?? recipesDir(), tool.dir)
  const required = readFileSync(join(recipe, 'go.mod'), 'utf8').matchAll(/^\s*(?:require\s+)?(\S+\/\S+) (v\S+)/gm)
  for (const [, module, version] of required) {
    const bases = join(await moduleDir(tool, recipe, `${module}@${version}`, options), 'config', 'crd', 'bases')
    for (const file of readdirSync(bases)) writeFileSync(join(out, file), readFileSync(join(bases, file)))
  }
}

/**
 * Downloads what the given tools are built from, one after the other, while an earlier one compiles: 3.6 GB unpacked
 * for the lab's tools. Failures are left to the builds, which explain them.
 */
export async function prefetchModules(tools: Tool[], options: BuildOptions): Promise<void> {
  for (const tool of tools.filter((candidate) => candidate.package !== 'crds')) {
    if (options.signal?.aborted) return
    const recipe = join(options.recipesRoot ?? recipesDir(), tool.dir)
    // -e: the package of a tool with `missingEmbed` can't be listed without it.
    await go(tool, recipe, ['list', '-e', '-mod=readonly', '-deps', tool.package], options).catch(() => {})
  }
}

async function moduleDir(tool: Tool, recipe: string, query: string, options: BuildOptions): Promise<string> {
  const json = await go(tool, recipe, ['mod', 'download', '-json', query], options)
  return (JSON.parse(json) as { Dir: string }).Dir
}

async function go(tool: Tool, cwd: string, args: string[], options: BuildOptions): Promise<string> {
  const base = options.env ?? process.env
  // GOWORK and GOFLAGS of the machine must not change what is built; CGO_ENABLED=0 makes one static file.
  const fixed = { CGO_ENABLED: '0', GOWORK: 'off', ...(tool.goToolchain ? { GOTOOLCHAIN: tool.goToolchain } : {}) }
  const shown = `cd ${cwd} && ${Object.entries(fixed)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')} go ${args.map(quote).join(' ')}`
  const what = `Building ${tool.name} ${pinnedVersion(tool, options.recipesRoot)}`
  const binary = firstOnPath('go', base)
  if (!binary) {
    throw new ToolError(`${what} needs Go, and there is no "go" on PATH`, {
      command: shown,
      next: 'Install Go 1.26 or newer (https://go.dev/dl), or install mise and run "mise install" in the checkout of k8sops.',
    })
  }
  const result = await run(binary, args, {
    cwd,
    env: { ...base, ...fixed, GOFLAGS: '-buildvcs=false' },
    signal: options.signal,
  })
  if (result.code === 0) return result.stdout
  if (options.signal?.aborted) throw options.signal.reason
  const output = tail(result.stderr || result.stdout)
  throw new ToolError(`${what} failed`, { command: shown, output, next: remedy(output, tool) })
}

/** What to do about the ways in which a build is known to fail. */
function remedy(output: string, tool: Tool): string {
  if (/requires go >=/.test(output))
    return 'Put Go 1.26 or newer first on PATH ("go version"), then run the same command again.'
  if (/no space left/.test(output))
    return 'Free some disk space (builds need about 10 GB; "go clean -cache" gives back most), then run it again.'
  if (/403 Forbidden|404 Not Found/.test(output))
    return `The Go module proxy does not have a module of tools/${tool.dir}: check GOPROXY, or pin another version.`
  if (/dial tcp|i\/o timeout|no such host|connection refused|TLS handshake/.test(output))
    return 'The Go module proxy could not be reached: check the network and GOPROXY, then run the same command again.'
  return 'Run the command above to see the whole output; "node tools/setup.ts" goes on where it stopped.'
}

export interface RunResult {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a process to its end and keeps its output; never throws for an exit code. */
export async function run(
  file: string,
  args: string[],
  options: { cwd?: string; env: NodeJS.ProcessEnv; signal?: AbortSignal | undefined },
): Promise<RunResult> {
  const child = spawn(file, args, {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  return new Promise((resolve) => {
    child.on('error', (error) => (stderr += `\n${error.message}`))
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

const tail = (output: string) =>
  output
    .replace(/^go: downloading .*\n/gm, '')
    .trim()
    .split('\n')
    .slice(-12)
    .join('\n')
const quote = (arg: string) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)
