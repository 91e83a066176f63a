/**
 * One child process: own process group, dies with us, and does nothing until it has been written down. Not by execa: of what that
 * adds to node:child_process nothing is wanted here, and loading it takes 90 ms and 20 MB of the 150 that a command may have.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { signalGroup, startTimeOf } from './process-info.ts'

/** What a group gets between SIGTERM and SIGKILL. helm needs about a second to give a release back. */
const graceMs = 5_000
/** How long output may trickle in after the child has ended, while a left-over grandchild holds the pipe. */
const drainMs = 1_000
/** More than this from one command is a fault of the tool; keeping it would be ours. */
const largestOutput = 256 * 1024 * 1024

/**
 * Waits for one line on file descriptor 3, then becomes the tool (same pid, same start time). If we die first, `read`
 * meets the end of the pipe and the tool is never started: nothing runs that the journal doesn't know.
 */
const waitForGo = 'read -r _ <&3 || exit 125; exec 3<&-; exec "$0" "$@"'

export interface ChildRequest {
  /** Program with its arguments. */
  argv: string[]
  cwd: string
  env: Record<string, string>
  input?: string | Uint8Array
  deadline: number
  /** Longest silence in milliseconds. */
  stallMs?: number | undefined
  signal?: AbortSignal | undefined
  kill?: AbortSignal | undefined
  onStdout: (chunk: Buffer) => void
  onStderr: (chunk: Buffer) => void
  /** The program starts when this returns; if it throws, it never starts. */
  onSpawn: (pid: number, startTime: string) => void
}

export interface ChildResult {
  exitCode: number | null
  ended?: 'timeout' | 'signal' | 'killed' | 'stalled'
  /** Set when the output was cut off. */
  flooded?: true
}

/** Runs it to its end. Rejects only with what `onSpawn` threw, or when the machine can't start a process at all. */
export async function runChild(request: ChildRequest): Promise<ChildResult> {
  const [program, ...args] = [...diesWithParent(), '/bin/sh', '-c', waitForGo, ...request.argv]
  const child = spawn(program!, args, {
    cwd: request.cwd,
    env: request.env,
    stdio: [request.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C in the terminal reaches us alone, and we decide who ends when.
    detached: true,
  })
  const failing = new Promise<Error>((resolve) => child.on('error', resolve))
  const closing = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  )
  const { pid, stdin, stdout, stderr } = child
  if (pid === undefined) throw new Error(`cannot start ${program}: ${(await failing).message}`)

  let ended: ChildResult['ended']
  let flooded = false
  let received = 0
  let forceTimer: NodeJS.Timeout | undefined
  const end = (why: 'timeout' | 'signal' | 'stalled') => {
    ended ??= why
    signalGroup(pid, 'SIGTERM')
    forceTimer ??= setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs)
  }
  const onStop = () => end('signal')
  const onKill = () => {
    ended ??= 'signal'
    signalGroup(pid, 'SIGKILL')
  }
  let stallTimer: NodeJS.Timeout | undefined
  const heard = () => {
    clearTimeout(stallTimer)
    if (request.stallMs !== undefined) stallTimer = setTimeout(() => end('stalled'), request.stallMs)
  }
  const counted = (take: (chunk: Buffer) => void) => (chunk: Buffer) => {
    heard()
    received += chunk.length
    if (received <= largestOutput) return take(chunk)
    flooded = true
    onKill()
  }
  stdout!.on('data', counted(request.onStdout))
  stderr!.on('data', counted(request.onStderr))

  const go = child.stdio[3] as NodeJS.WritableStream
  // The child may be killed before it reads; its end is reported by its exit, not by a broken pipe here.
  go.on('error', () => {})
  stdin?.on('error', () => {})
  try {
    request.onSpawn(pid, startTimeOf(pid) ?? '')
  } catch (error) {
    signalGroup(pid, 'SIGKILL')
    await closing
    throw error
  }
  go.end('go\n')
  if (request.input !== undefined) stdin!.end(request.input)

  heard()
  const left = request.deadline - performance.now()
  // setTimeout takes at most 2^31 ms; no deadline is Infinity.
  const timer = left < 2 ** 31 ? setTimeout(() => end('timeout'), Math.max(left, 0)) : undefined
  request.signal?.addEventListener('abort', onStop)
  request.kill?.addEventListener('abort', onKill)
  if (request.signal?.aborted) onStop()
  if (request.kill?.aborted) onKill()
  let drainTimer: NodeJS.Timeout | undefined
  child.once('exit', () => {
    drainTimer = setTimeout(() => {
      stdout!.destroy()
      stderr!.destroy()
    }, drainMs)
  })

  const { code, signal } = await closing
  clearTimeout(timer)
  clearTimeout(stallTimer)
  clearTimeout(forceTimer)
  clearTimeout(drainTimer)
  request.signal?.removeEventListener('abort', onStop)
  request.kill?.removeEventListener('abort', onKill)
  // The leader is gone; whatever else it started in the group must not go on writing after we gave up on it.
  if (ended !== undefined) signalGroup(pid, 'SIGKILL')
  else if (signal !== null) ended = 'killed'
  return {
    exitCode: ended === undefined ? code : null,
    ...(ended === undefined ? {} : { ended }),
    ...(flooded ? { flooded: true as const } : {}),
  }
}

let prefix: string[] | undefined
/**
 * `setpriv --pdeathsig KILL` (util-linux): the kernel kills the child when we die, even of SIGKILL. Where it is missing
 * the guard (guard.ts) and, for a resume, the K8SOPS_RUN marker remain.
 */
function diesWithParent(): string[] {
  prefix ??= findSetpriv()
  return prefix
}

function findSetpriv(): string[] {
  for (const path of ['/usr/bin/setpriv', '/bin/setpriv']) {
    try {
      accessSync(path, constants.X_OK)
      return [path, '--pdeathsig', 'KILL', '--']
    } catch {
      // Not here.
    }
  }
  return []
}
