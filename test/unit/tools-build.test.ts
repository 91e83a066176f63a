import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ToolError } from '../../src/lib/errors.ts'
import { ensureTools, type ToolProgress } from '../../src/lib/tools/build.ts'
import { toolNamed } from '../../src/lib/tools/catalog.ts'
import { acquireLock } from '../../src/lib/tools/lock.ts'
import { cacheKey, resolveTool, toolCache } from '../../src/lib/tools/resolve.ts'

let home: string
let env: NodeJS.ProcessEnv
let recipesRoot: string

/** A machine of its own: a recipe for etcd and age, and a PATH with only what a test puts there. */
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'k8sops-tools-'))
  recipesRoot = join(home, 'recipes')
  for (const dir of ['etcd', 'age', 'bin', 'recipes'])
    mkdirSync(join(home, dir === 'etcd' || dir === 'age' ? `recipes/${dir}` : dir), { recursive: true })
  recipe('etcd', 'go.etcd.io/etcd/server/v3 v3.6.11')
  recipe('age', 'filippo.io/age v1.3.2')
  env = { PATH: `${join(home, 'bin')}:/bin:/usr/bin`, K8SOPS_CACHE: join(home, 'cache'), HOME: home, WORK: home }
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const recipe = (dir: string, require: string, sum = '') => {
  writeFileSync(join(recipesRoot, dir, 'go.mod'), `module test\n\nrequire ${require}\n`)
  writeFileSync(join(recipesRoot, dir, 'go.sum'), sum)
}
const script = (path: string, body: string) => {
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
}
const onPath = (name: string, body: string) => script(join(home, 'bin', name), body)
/** A `go` that makes a program which says the given version, and notes that it ran. */
const fakeGo = (version: string) =>
  onPath(
    'go',
    `[ "$1" = build ] || exit 0
echo "$@" >> ${home}/go-calls
out=$(echo "$@" | sed 's/.*-o \\([^ ]*\\) .*/\\1/')
printf '#!/bin/sh\\necho etcd Version: ${version}\\n' > "$out" && chmod +x "$out"`,
  )
const builds = () =>
  existsSync(`${home}/go-calls`) ? readFileSync(`${home}/go-calls`, 'utf8').trim().split('\n').length : 0

test('a missing tool is built once, reported, and found afterwards without a process', async () => {
  fakeGo('3.6.11')
  const events: ToolProgress[] = []
  const tools = await ensureTools(['etcd'], { env, recipesRoot, onProgress: (event) => events.push(event) })
  const etcd = tools.get('etcd')
  expect(etcd).toMatchObject({ version: '3.6.11', source: 'cache' })
  expect(etcd?.path).toMatch(new RegExp(`^${toolCache(env)}/etcd-3\\.6\\.11-[0-9a-f]{8}/etcd$`))
  expect(events.map((event) => event.state)).toEqual(['building', 'done'])
  expect(events[0]?.etaSec).toBeGreaterThan(1)

  rmSync(join(home, 'bin', 'go'))
  expect(resolveTool('etcd', { env, recipesRoot })).toEqual(etcd)
  await ensureTools(['etcd'], { env, recipesRoot })
  expect(builds()).toBe(1)
})

test('a changed recipe is built anew, at the same version too', async () => {
  fakeGo('3.6.11')
  await ensureTools(['etcd'], { env, recipesRoot })
  const other = join(home, 'other')
  mkdirSync(join(other, 'etcd'), { recursive: true })
  writeFileSync(join(other, 'etcd/go.mod'), readFileSync(join(recipesRoot, 'etcd/go.mod')))
  writeFileSync(join(other, 'etcd/go.sum'), 'example.com/dependency v1.0.0 h1:=\n')
  expect(resolveTool('etcd', { env, recipesRoot: other })).toBeUndefined()
})

test('a build that fails says what, how to see it again, and what to do; nothing is left behind', async () => {
  onPath('go', 'echo "go: example.com/x@v1.0.0: reading https://proxy: 403 Forbidden" >&2; exit 1')
  const error = await ensureTools(['etcd'], { env, recipesRoot }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ToolError)
  const { message, detail } = error as ToolError
  expect(message).toBe('Building etcd 3.6.11 failed')
  expect(detail.command).toContain(
    `cd ${recipesRoot}/etcd && CGO_ENABLED=0 GOWORK=off go build -mod=readonly -trimpath`,
  )
  expect(detail.output).toContain('403 Forbidden')
  expect(detail.next).toContain('GOPROXY')
  expect(readdirSync(toolCache(env)).filter((name) => !name.startsWith('.'))).toEqual([])
  expect(readdirSync(join(toolCache(env), '.build'))).toEqual([])
  expect(readdirSync(join(toolCache(env), '.locks'))).toEqual([])
})

test('a binary that does not say the pinned version is refused', async () => {
  fakeGo('3.5.0')
  await expect(ensureTools(['etcd'], { env, recipesRoot })).rejects.toThrow('does not report that version')
  expect(resolveTool('etcd', { env, recipesRoot })).toBeUndefined()
})

test('no Go at all is explained', async () => {
  env.PATH = join(home, 'bin')
  const error = (await ensureTools(['etcd'], { env, recipesRoot }).catch((thrown: unknown) => thrown)) as ToolError
  expect(error.message).toContain('there is no "go" on PATH')
  expect(error.detail.next).toContain('Install Go 1.26')
})

test('a binary on PATH counts only at exactly the pinned version', () => {
  onPath('age', 'echo v1.2.0')
  expect(resolveTool('age', { env, recipesRoot })).toBeUndefined()
  onPath('age', 'echo v1.3.2')
  expect(resolveTool('age', { env, recipesRoot })).toEqual({
    path: join(home, 'bin/age'),
    version: '1.3.2',
    source: 'path',
  })
})

test("a link on PATH into a tool's cache entry is taken by the entry's name, without being asked", () => {
  const entry = join(home, 'elsewhere', cacheKey(toolNamed('age'), recipesRoot))
  mkdirSync(entry, { recursive: true })
  script(join(entry, 'age'), `touch ${home}/was-run`)
  symlinkSync(join(entry, 'age'), join(home, 'bin/age'))
  env.PATH = join(home, 'bin')
  expect(resolveTool('age', { env, recipesRoot })).toMatchObject({ path: join(home, 'bin/age'), version: '1.3.2' })
  expect(existsSync(join(home, 'was-run'))).toBe(false)
})

test('what mise put on PATH is taken by its directory, without being asked', () => {
  const bin = join(home, 'share/mise/installs/aqua-filosottile-age/1.3.2/age')
  mkdirSync(bin, { recursive: true })
  script(join(bin, 'age'), `touch ${home}/was-run`)
  env.PATH = bin
  expect(resolveTool('age', { env, recipesRoot })).toEqual({ path: join(bin, 'age'), version: '1.3.2', source: 'mise' })
  expect(existsSync(join(home, 'was-run'))).toBe(false)
})

test('mise is preferred to a build, and a mise that fails is not the end', async () => {
  script(join(home, 'age'), 'echo v1.3.2')
  onPath('mise', `case $1 in install) exit 0;; exec) echo ${home}/age;; esac`)
  const events: string[] = []
  const options = { env, recipesRoot, onProgress: (event: ToolProgress) => events.push(event.state) }
  expect((await ensureTools(['age'], options)).get('age')?.source).toBe('mise')
  expect(events).toEqual(['installing', 'done'])
  expect(resolveTool('age', { env, recipesRoot })?.source).toBe('mise')

  rmSync(toolCache(env), { recursive: true })
  onPath('mise', 'exit 1')
  fakeGo('1.3.2')
  expect((await ensureTools(['age'], { env, recipesRoot })).get('age')?.source).toBe('cache')
})

test('an interrupted build leaves nothing half-installed', async () => {
  onPath('go', `touch ${home}/started; exec sleep 30`)
  const stop = new AbortController()
  const run = ensureTools(['etcd'], { env, recipesRoot, signal: stop.signal })
  while (!existsSync(join(home, 'started'))) await new Promise((resolve) => setTimeout(resolve, 10))
  stop.abort(new Error('stopped'))
  await expect(run).rejects.toThrow('stopped')
  expect(readdirSync(toolCache(env)).sort()).toEqual(['.build', '.locks'])
})

test('a lock is waited for, given back, and taken over from a holder that was killed', async () => {
  const file = join(home, 'lock')
  const release = await acquireLock(file)
  await expect(acquireLock(file, AbortSignal.timeout(100))).rejects.toThrow()
  release()
  ;(await acquireLock(file))()

  const lockModule = join(import.meta.dirname, '../../src/lib/tools/lock.ts')
  const holder = spawn(process.execPath, [
    '-e',
    `import('${lockModule}').then((m) => m.acquireLock('${file}')).then(() => setInterval(() => {}, 1e6))`,
  ])
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 10))
  await expect(acquireLock(file, AbortSignal.timeout(100))).rejects.toThrow()
  holder.kill('SIGKILL')
  await new Promise((resolve) => holder.on('exit', resolve))
  ;(await acquireLock(file, AbortSignal.timeout(20_000)))()
})

test('a lock of an earlier process with the same pid does not count', async () => {
  const file = join(home, 'lock')
  writeFileSync(file, JSON.stringify({ pid: process.pid, startTime: 'long ago' }))
  ;(await acquireLock(file, AbortSignal.timeout(20_000)))()
  expect(existsSync(file)).toBe(false)
})
