/** Runs pipelines of tools. Together with child.ts the only place that starts processes for a plan. */
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname, resolve as resolvePath } from 'node:path'
import { performance } from 'node:perf_hooks'
import { ToolError } from '../errors.ts'
import type { Command } from '../types.ts'
import { type ChildResult, runChild } from './child.ts'
import { runForeground } from './foreground.ts'
import { splitLines } from './lines.ts'
import { killProcess, processesOfRun } from './process-info.ts'
import { injectedSecrets } from './redact.ts'
import { shellLine } from './render.ts'
import type { Exec, ExecRequest, ExecResult, ExecSettings } from './types.ts'

const tailLines = 20

/**
 * Makes the function that runs pipelines for one target.
 *
 * A later command is started once the earlier one ended well, and gets all of its output: like a shell's pipe with
 * `set -o pipefail`, but kubectl never applies half a manifest because its producer failed midway.
 */
export function createExec(settings: ExecSettings): Exec {
  const secretsByRef = new Map<string, Promise<string>>()
  const { redactor } = settings

  const readSecret = (ref: string, request: ExecRequest): Promise<string> => {
    const known = secretsByRef.get(ref)
    if (known) return known
    const reading = readFromVault(ref, request)
    secretsByRef.set(ref, reading)
    // A refused look-up may work next time (`op signin`), so only values are kept.
    reading.catch(() => secretsByRef.delete(ref))
    return reading
  }

  const readFromVault = async (ref: string, request: ExecRequest): Promise<string> => {
    const { signal, kill, step, guard } = request
    const result = await exec({
      pipeline: [{ tool: 'op', args: ['read', ref] }],
      timeoutSec: 60,
      ...(signal ? { signal } : {}),
      ...(kill ? { kill } : {}),
      ...(step ? { step } : {}),
      ...(guard ? { guard } : {}),
    })
    const value = result.stdout.replace(/\r?\n$/, '')
    if (result.exitCode !== 0 || value === '')
      throw new ToolError(`1Password has no value for ${ref}`, {
        command: result.line,
        output: result.tail.join('\n'),
        next: 'sign in with `op signin` and check item and field (docs/prerequisites.md)',
      })
    return value
  }

  const environmentOf = async (command: Command, request: ExecRequest): Promise<Record<string, string>> => {
    const secrets: Record<string, string> = {}
    for (const [name, ref] of Object.entries(command.secretEnv ?? {})) secrets[name] = await readSecret(ref, request)
    return {
      ...settings.env,
      ...settings.toolEnv?.[command.tool],
      ...command.env,
      ...secrets,
      ...(settings.runId ? { K8SOPS_RUN: settings.runId } : {}),
      ...(request.step ? { K8SOPS_STEP: request.step } : {}),
      ...(request.guard ? { K8SOPS_GUARD: request.guard } : {}),
    }
  }

  const inForeground = async (command: Command, request: ExecRequest, line: string, started: number) => {
    const [program = '', ...first] = [await settings.resolve(command.tool)].flat()
    const env = await environmentOf(command, request)
    const exitCode = await runForeground(program, [...first, ...command.args], { cwd: settings.cwd, env })
    return { exitCode, stdout: '', stderr: '', tail: [], line, seconds: (performance.now() - started) / 1000 }
  }

  const exec: Exec = async (request) => {
    const started = performance.now()
    const deadline = request.timeoutSec === undefined ? Number.POSITIVE_INFINITY : started + request.timeoutSec * 1000
    const line = redactor.redact(shellLine(request.pipeline))
    const [only] = request.pipeline
    if (request.foreground && only) return inForeground(only, request, line, started)
    const log = openLog(request.logFile)
    log.write('$', line)
    const tail: string[] = []
    const errors: string[] = []
    const show = (stream: 'out' | 'err', text: string) => {
      const clean = redactor.redact(text)
      if (stream === 'err') errors.push(clean)
      tail.push(clean)
      if (tail.length > tailLines) tail.shift()
      log.write(stream, clean)
      request.onLine?.(clean)
    }

    const runOne = async (command: Command, input: string | Uint8Array | undefined, last: boolean) => {
      const program = [await settings.resolve(command.tool)].flat()
      const env = await environmentOf(command, request)
      const chunks: Buffer[] = []
      // `op` prints secrets: they must be known before a line of them could be shown, so its output is never shown.
      const visible = last && command.tool !== 'op'
      const stdout = splitLines((text) => show('out', text))
      const stderr = splitLines((text) => show('err', text))
      const record = { pid: 0, startTime: '', argv: [command.tool, ...command.args.map((arg) => redactor.redact(arg))] }
      const result = await runChild({
        argv: [...program, ...command.args],
        cwd: settings.cwd,
        env,
        ...(input === undefined ? {} : { input }),
        deadline,
        stallMs: request.stallSec === undefined ? undefined : request.stallSec * 1000,
        signal: request.signal,
        kill: request.kill,
        onStdout: (chunk) => {
          chunks.push(chunk)
          if (visible) stdout.push(chunk)
        },
        onStderr: stderr.push,
        onSpawn: (pid, startTime) => {
          Object.assign(record, { pid, startTime })
          request.onSpawn?.(record)
        },
      })
      stdout.end()
      stderr.end()
      request.onExit?.(record, result.exitCode)
      const output = Buffer.concat(chunks)
      if (command.tool === 'op') registerSecrets(command, output.toString())
      return { ...result, output }
    }

    const registerSecrets = (command: Command, output: string) => {
      if (command.args[0] === 'read') redactor.add(output)
      if (command.args[0] === 'inject')
        for (const value of injectedSecrets(output, templateOf(command, settings.cwd))) redactor.add(value)
    }

    try {
      let input = request.input
      let result: ChildResult = { exitCode: 0 }
      let output: Buffer = Buffer.alloc(0)
      for (const [index, command] of request.pipeline.entries()) {
        if (request.signal?.aborted || request.kill?.aborted) {
          result = { exitCode: null, ended: 'signal' }
          break
        }
        const one = await runOne(command, input, index === request.pipeline.length - 1)
        result = one
        output = one.output
        input = one.output
        if (one.flooded) show('err', `${command.tool} printed more than 256 MiB and was ended`)
        if (one.exitCode !== 0) break
      }
      if (result.ended !== undefined && result.ended !== 'killed') endLeftovers(request.step)
      log.write('=', describeEnd(result))
      return {
        exitCode: result.exitCode,
        ...(result.ended ? { ended: result.ended } : {}),
        stdout: output.toString(),
        stderr: errors.join('\n'),
        tail,
        line,
        seconds: (performance.now() - started) / 1000,
      } satisfies ExecResult
    } finally {
      log.close()
    }
  }

  /** Grandchildren that left the process group (setsid) don't get its signals. */
  const endLeftovers = (step: string | undefined) => {
    if (!settings.runId || step === undefined) return
    for (const child of processesOfRun(settings.runId)) if (child.step === step) killProcess(child)
  }

  return exec
}

function describeEnd(result: ChildResult): string {
  return result.ended ? `ended: ${result.ended}` : `exit code ${result.exitCode}`
}

/** The file that `op inject -i FILE` fills in; empty when it can't be read, so that every line counts as secret. */
function templateOf(command: Command, cwd: string): string {
  const flag = command.args.findIndex((arg) => arg === '-i' || arg === '--in-file')
  try {
    return readFileSync(resolvePath(cwd, command.args[flag + 1] ?? ''), 'utf8')
  } catch {
    return ''
  }
}

interface Log {
  write: (stream: string, text: string) => void
  close: () => void
}

function openLog(file: string | undefined): Log {
  if (file === undefined) return { write: () => {}, close: () => {} }
  mkdirSync(dirname(file), { recursive: true })
  const descriptor = openSync(file, 'a', 0o600)
  return {
    write: (stream, text) => appendFileSync(descriptor, `${new Date().toISOString()} ${stream.padEnd(3)} ${text}\n`),
    close: () => closeSync(descriptor),
  }
}
