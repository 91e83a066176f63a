/** Processes as the rest of the program sees them; the implementation is exec.ts. */
import type { Command, ToolName } from '../types.ts'

/** A child, known before it does anything: it waits for us to have written this down. */
export interface ChildRecord {
  pid: number
  /** Tells two processes with one pid apart: start time since boot in clock ticks (Linux), or as `ps` prints it. */
  startTime: string
  /** Tool and arguments, redacted. */
  argv: string[]
}

export interface ExecRequest {
  /** One command, or several connected by pipes. */
  pipeline: Command[]
  /** The whole pipeline's time limit. Default: none. */
  timeoutSec?: number
  /** Nothing printed for so long: the process group is ended as by `signal`, with `ended: 'stalled'`. */
  stallSec?: number
  /** Aborted: SIGTERM to the process group, SIGKILL five seconds later. */
  signal?: AbortSignal
  /** Aborted: SIGKILL to the process group at once. */
  kill?: AbortSignal
  /** Standard input of the first command; default none (/dev/null, so nothing can ask questions). */
  input?: string | Uint8Array
  /** File that every line of output is appended to, redacted, with time and stream. */
  logFile?: string
  /** Each line of standard error of every command, and of standard output of the last, redacted. */
  onLine?: (line: string) => void
  /** Called with the child's pid before its program is started; the program starts when this returns. */
  onSpawn?: (child: ChildRecord) => void
  /** Called when a child ended. */
  onExit?: (child: ChildRecord, exitCode: number | null) => void
  /** Put into the children's environment as K8SOPS_STEP, so that survivors can be told apart. */
  step?: string
  /** The terminal is the command's until it ends (`talosctl dashboard`): one command, no time limit, and nothing is kept of it. */
  foreground?: true
  /** Mark of the guard (guard.ts) that ends it if this process dies; in the children's environment as K8SOPS_GUARD. */
  guard?: string
}

export interface ExecResult {
  /** 0 only if every command of the pipeline ended with 0; otherwise that of the last one that did not. */
  exitCode: number | null
  /** Why it has no exit code of its own. */
  ended?: 'timeout' | 'signal' | 'killed' | 'stalled'
  /** Standard output of the last command, NOT redacted: it is data for the caller. */
  stdout: string
  /** Standard error of all commands, redacted. */
  stderr: string
  /** Last lines that a person would want to see, redacted. */
  tail: string[]
  /** The pasteable line, redacted. */
  line: string
  seconds: number
}

/** Runs one pipeline. Rejects only when it could not be started at all (ConfigError for a missing tool, ToolError for `op read`). */
export type Exec = (request: ExecRequest) => Promise<ExecResult>

export interface ExecSettings {
  /** Children's working directory: the target's root. */
  cwd: string
  /** The whole environment of children, read at each call; nothing of this process's own comes along by itself. */
  env: Record<string, string>
  /** In addition, for one tool. */
  toolEnv?: Partial<Record<ToolName, Record<string, string>>>
  /** Absolute path of a tool, or a program with its first arguments (`[node, bin/k8sops.js]`). Throws ConfigError when missing. */
  resolve: (tool: ToolName) => string | string[] | Promise<string | string[]>
  /** Shared with everything that prints. */
  redactor: Redactor
  /** Marks children with K8SOPS_RUN, so that a later process finds survivors. */
  runId?: string
}

/** Knows secrets and takes them out of text. */
export interface Redactor {
  /** Registers a secret: itself, each of its lines, and its base64 form. Values shorter than six characters are refused (they would eat ordinary text). */
  add: (secret: string) => void
  redact: (text: string) => string
}

/** A process, unmistakably: pids are given out again. */
export interface ProcessId {
  pid: number
  startTime: string
}

/** The operating system's processes, as lock and resume need them. Implemented by process-info.ts. */
export interface ProcessPort {
  /** This process. `space` names where its pid means something; `who` is `user@host`. */
  self: () => ProcessId & { space: string; who: string }
  isAlive: (process: ProcessId) => boolean
  /** Every living process that carries K8SOPS_RUN=<runId>, with its K8SOPS_STEP. */
  ofRun: (runId: string) => (ProcessId & { step: string })[]
  /** SIGKILL, if it still is that process. */
  end: (process: ProcessId) => void
  /** From now on, whatever is started with this mark (ExecRequest.guard) dies when this process does, or at release. */
  guard: () => { mark: string; release: () => void }
}
