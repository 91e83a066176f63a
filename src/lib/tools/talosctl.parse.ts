/**
 * What talosctl's outputs mean. Recorded outputs per version are in test/fixtures/tool-output/talosctl: the five states
 * of a machine are told apart by text, because all of them are gRPC `Unavailable` with exit code 1 (talosctl 1.12).
 */
import type { NodeState } from '../types.ts'

export interface Output {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** What one call says about the way to the machine. */
export type Reach =
  | 'ok'
  /** Nothing listens, or nothing answers. */
  | 'down'
  /** The machine wants a client certificate: it is configured. */
  | 'certificate-required'
  /** Its certificate is of another CA: in maintenance mode (self-signed), or another cluster's. */
  | 'unknown-authority'
  /** Our CA, but not valid for the address that we dialled. */
  | 'wrong-address'
  /** Its certificate, of whatever CA, is for another time: a clock is wrong. Nothing else of it has been looked at. */
  | 'not-valid-now'
  /** It knows our CA and refuses our role. */
  | 'denied'
  /** It answered with an error of its own. */
  | 'refused'
  /** The connection broke without a reason; asking again gives one. */
  | 'broken'

const texts: [RegExp, Reach][] = [
  // The machine's own services dialled each other in vain (etcd's 2379 before bootstrap): it answered us.
  [/dial tcp \S+:(?!50000\b)\d+: /, 'refused'],
  [/certificate required/, 'certificate-required'],
  [/x509: certificate is valid for .*, not |doesn't contain any IP SANs/, 'wrong-address'],
  [/x509: certificate has expired or is not yet valid/, 'not-valid-now'],
  [/x509: |failed to verify certificate|unknown certificate authority|tls: bad certificate/, 'unknown-authority'],
  [/Error while dialing|connection refused|i\/o timeout|no route to host|network is unreachable/, 'down'],
  [/code = PermissionDenied|code = Unauthenticated/, 'denied'],
  // TLS 1.3: the machine closes before our first write; which of the two texts comes is a race (seen with 1.12.0).
  [/broken pipe|connection reset|code = Unavailable .*EOF|error reading server preface/, 'broken'],
]

export function reachOf(output: Output): Reach {
  if (output.exitCode === 0) return 'ok'
  const told = texts.find(([pattern]) => pattern.test(output.stderr))?.[1]
  // Ended from outside, it has told nothing.
  return told ?? (output.exitCode === null ? 'broken' : 'refused')
}

/**
 * The state of a machine from both ways of asking it; undefined when the answers don't settle it.
 * @param secure with our talosconfig; undefined when there is none yet
 * @param insecure undefined when the secure answer was enough
 */
export function stateOf(secure: Output | undefined, insecure: Output | undefined): NodeState | undefined {
  const authenticated = secure && reachOf(secure)
  const anonymous = insecure && reachOf(insecure)
  if (anonymous === 'ok') return 'maintenance'
  if (authenticated === 'ok' || authenticated === 'refused' || authenticated === 'denied') return 'ours'
  if (authenticated === 'wrong-address') return 'certificate-without-address'
  if (anonymous === 'certificate-required' && authenticated === 'unknown-authority') return 'foreign-pki'
  if (anonymous === 'down' || authenticated === 'down') return 'down'
  return undefined
}

/** The last line that says something, without gRPC's wrapping: what a person wants to read. */
export function talosMessage(output: Output): string {
  const lines = output.stderr.split('\n').map((line) => line.trim())
  const last = lines.filter(Boolean).at(-1) ?? `talosctl ended with exit code ${output.exitCode ?? 'none'}`
  return last.replace(/^\* /, '').replace(/rpc error: code = (\w+) desc = /, '$1: ')
}
