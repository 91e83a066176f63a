import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createExec } from '../../src/lib/exec/exec.ts'
import { isAlive, processesOfRun, startTimeOf } from '../../src/lib/exec/process-info.ts'
import { createRedactor } from '../../src/lib/exec/redact.ts'
import type { ExecSettings } from '../../src/lib/exec/types.ts'
import type { Command } from '../../src/lib/types.ts'

// Processes take their time on a busy machine; what is measured here is order, not speed.
vi.setConfig({ testTimeout: 60_000 })

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'k8sops-exec-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const canary = 'canary-7f3b9c1e55d04a'

/** An `op` that knows one secret and counts how often it is asked. */
function installOp(
  script = `echo x >> asked; case "$1" in read) echo ${canary};; inject) sed s/PLACE/${canary}/ "$3";; esac`,
) {
  writeFileSync(join(root, 'op'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(root, 'op'), 0o755)
}
function open(more: Partial<ExecSettings> = {}) {
  return createExec({
    cwd: root,
    env: { PATH: '/usr/bin:/bin' },
    resolve: (tool) => (tool === 'op' ? join(root, 'op') : tool === 'sops' ? '/bin/cat' : '/bin/sh'),
    redactor: createRedactor(),
    ...more,
  })
}
const sh = (script: string, more: Partial<Command> = {}): Command => ({
  tool: 'kubectl',
  args: ['-c', script],
  ...more,
})
const cat: Command = { tool: 'sops', args: [] }

describe('pipelines', () => {
  test('output of one command is input of the next', async () => {
    const result = await open()({ pipeline: [sh('echo one; echo two'), cat, sh('sed s/two/2/')] })
    expect(result).toMatchObject({ exitCode: 0, stdout: 'one\n2\n' })
  })

  test('a failing producer: the consumer is never started, and its exit code is the result (pipefail)', async () => {
    const result = await open()({ pipeline: [sh('echo half; exit 3'), sh('cat > applied')] })
    expect(result.exitCode).toBe(3)
    expect(existsSync(join(root, 'applied'))).toBe(false)
  })

  test('bytes come through unharmed, and much more than a pipe holds', async () => {
    const result = await open()({ pipeline: [sh('head -c 3000000 /dev/urandom | tee original'), sh('cat > copy')] })
    expect(result.exitCode).toBe(0)
    expect(readFileSync(join(root, 'copy')).equals(readFileSync(join(root, 'original')))).toBe(true)
  })

  test('a consumer that does not read is no error of its own', async () => {
    const result = await open()({ pipeline: [sh('head -c 3000000 /dev/zero'), sh('exit 0')] })
    expect(result.exitCode).toBe(0)
  })

  test('nothing on standard input means nothing to ask', async () => {
    expect((await open()({ pipeline: [sh('read -r answer || echo no input')] })).stdout).toBe('no input\n')
  })

  test('cwd, and only the environment that was given', async () => {
    process.env.K8SOPS_TEST_STRAY = 'stray'
    const result = await open()({ pipeline: [sh('pwd; env', { env: { GIVEN: 'yes' } })] })
    delete process.env.K8SOPS_TEST_STRAY
    expect(result.stdout).toContain(`${root}\n`)
    expect(result.stdout).toContain('GIVEN=yes')
    expect(result.stdout).not.toContain('STRAY')
  })

  test('a missing tool is an exit code, not a hang', async () => {
    const result = await open({ resolve: () => '/nonexistent/tool' })({ pipeline: [sh('true')] })
    expect(result.exitCode).toBe(127)
  })
})

describe('ending', () => {
  test('a timeout ends the whole group', async () => {
    const begun = Date.now()
    const result = await open()({ pipeline: [sh('sleep 41 & echo $! > pid; wait')], timeoutSec: 2 })
    expect(result).toMatchObject({ exitCode: null, ended: 'timeout' })
    expect(Date.now() - begun).toBeLessThan(30_000)
    const pid = Number(readFileSync(join(root, 'pid'), 'utf8'))
    await vi.waitFor(() => expect(startTimeOf(pid)).toBeUndefined(), 10_000)
  })

  test('a grandchild in a session of its own is found by its marker', async () => {
    const exec = open({ runId: 'exec-test-run' })
    await exec({ pipeline: [sh('setsid sleep 42 & sleep 42')], timeoutSec: 1, step: 's' })
    // SIGKILL was sent; the kernel may take a moment.
    await vi.waitFor(() => expect(processesOfRun('exec-test-run')).toEqual([]), 10_000)
  })

  test('signal: SIGTERM, so a tool can put things in order', async () => {
    const stop = new AbortController()
    const running = open()({
      pipeline: [sh('trap "echo tidy > tidy; exit 0" TERM; echo ready; while :; do sleep 0.05; done')],
      signal: stop.signal,
      onLine: () => stop.abort(),
    })
    expect(await running).toMatchObject({ exitCode: null, ended: 'signal' })
    expect(existsSync(join(root, 'tidy'))).toBe(true)
  })

  test('kill: at once', async () => {
    const kill = new AbortController()
    const running = open()({
      pipeline: [sh('trap "" TERM; echo ready; while :; do sleep 0.05; done')],
      kill: kill.signal,
      onLine: () => kill.abort(),
    })
    expect(await running).toMatchObject({ exitCode: null, ended: 'signal' })
  })

  test('somebody else kills the tool: told apart from our own', async () => {
    expect(await open()({ pipeline: [sh('kill -9 $$')] })).toMatchObject({ exitCode: null, ended: 'killed' })
  })

  test('the journal comes first: when writing it fails, the tool never runs', async () => {
    const running = open()({
      pipeline: [sh('touch ran')],
      onSpawn: (child) => {
        expect(isAlive(child)).toBe(true)
        throw new Error('disk full')
      },
    })
    await expect(running).rejects.toThrow('disk full')
    await sleep(50)
    expect(existsSync(join(root, 'ran'))).toBe(false)
  })
})

describe('secrets', () => {
  const secretEnv = { KEY: 'op://vault/item/field' }

  test('come from op at the moment of the call, once a run', async () => {
    installOp()
    const exec = open()
    const first = await exec({ pipeline: [sh('printf %s "$KEY" | wc -c', { secretEnv })] })
    await exec({ pipeline: [sh('true', { secretEnv })] })
    expect(first.stdout.trim()).toBe(String(canary.length))
    expect(readFileSync(join(root, 'asked'), 'utf8')).toBe('x\n')
  })

  test('a canary is nowhere: not in log, lines, tail, errors, journal entries or the pasteable line', async () => {
    installOp()
    writeFileSync(join(root, 'secrets.tpl'), 'apiVersion: v1\ndata: PLACE\n')
    mkdirSync(join(root, 'logs'))
    const seen: unknown[] = []
    const exec = open({ runId: 'canary' })
    const watch = {
      logFile: join(root, 'logs/step.log'),
      onLine: (line: string) => seen.push(line),
      onSpawn: (child: unknown) => seen.push(child),
    }
    const printed = await exec({
      pipeline: [sh(`echo $KEY; echo "x${'$'}{KEY}y" >&2; printf %s "$KEY" | base64 >&2; exit 1`, { secretEnv })],
      ...watch,
    })
    const injected = await exec({
      pipeline: [{ tool: 'op', args: ['inject', '-i', 'secrets.tpl'] }, sh('cat; echo error: bad value >&2; exit 1')],
      ...watch,
    })
    const { stdout: _, ...rest } = printed
    const { stdout: __, ...others } = injected
    const everything =
      JSON.stringify([seen, rest, others]) +
      readdirSync(join(root, 'logs')).map((file) => readFileSync(join(root, 'logs', file), 'utf8'))
    expect(everything).not.toContain(canary)
    expect(everything).not.toContain(Buffer.from(canary).toString('base64'))
    expect(everything).toContain('[redacted]')
    expect(everything).toContain('apiVersion: v1')
    // The data itself is the caller's and whole.
    expect(printed.stdout).toContain(canary)
    expect(everything).toContain(`KEY=\\"$(op read op://vault/item/field)\\" kubectl`)
  })

  test('a locked vault: the tool is not started, and the error says what to do; signing in helps the next try', async () => {
    installOp('test -e signed-in || { echo "[ERROR] not signed in" >&2; exit 1; }; echo good-value')
    const exec = open()
    const failing = exec({ pipeline: [sh('touch ran', { secretEnv })] })
    await expect(failing).rejects.toMatchObject({
      name: 'ToolError',
      detail: { next: expect.stringContaining('op signin') },
    })
    expect(existsSync(join(root, 'ran'))).toBe(false)
    writeFileSync(join(root, 'signed-in'), '')
    expect((await exec({ pipeline: [sh('true', { secretEnv })] })).exitCode).toBe(0)
  })
})
