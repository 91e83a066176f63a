/** gRPC status of Talos's API: the codes, and the texts that Go puts around them. */
import { codes } from '../../tools/talos-api/status-codes.ts'

export type CodeName = (typeof codes)[number]

/** Refusal of a call with the code and text that Talos gives. */
export class StatusError extends Error {
  readonly code: number
  /** The text inside a longer chain (Go's err.Error()): that of a status names its code, that of a wrapped one doesn't. */
  readonly text: string
  constructor(code: CodeName, message: string, text?: string) {
    super(message)
    this.name = 'StatusError'
    this.code = codes.indexOf(code)
    this.text = text ?? statusText({ code: this.code, message })
  }
}

export interface RpcStatus {
  code: number
  message: string
}

/** What a client gets of an error: Go maps every error that is no status to Unknown. */
export function statusOf(error: unknown): RpcStatus {
  if (error instanceof StatusError) return { code: error.code, message: error.message }
  return { code: codes.indexOf('Unknown'), message: error instanceof Error ? error.message : String(error) }
}

/** The text of a status error in Go: `rpc error: code = NotFound desc = ...`. */
export function statusText({ code, message }: RpcStatus): string {
  return `rpc error: code = ${codes[code] ?? code} desc = ${message}`
}

/** `fmt.Errorf("prefix: %w", err)` on a status: the code stays, the text becomes that of the whole chain. */
export function wrapStatus(prefix: string, error: unknown): StatusError {
  const status = statusOf(error)
  const text = `${prefix}: ${error instanceof StatusError ? error.text : status.message}`
  return new StatusError(codes[status.code] ?? 'Unknown', text, text)
}

/** hashicorp/go-multierror's list of problems, which Talos sends as the text of a refused configuration. */
export function multiErrorText(problems: string[]): string {
  const count = `${problems.length} error${problems.length === 1 ? '' : 's'} occurred:`
  return `${count}\n${problems.map((problem) => `\t* ${problem}\n`).join('')}\n`
}
