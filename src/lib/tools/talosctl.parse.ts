/**
 * What talosctl's outputs mean. Recorded outputs per version are in test/fixtures/tool-output/talosctl: the five states
 * of a machine are told apart by text, because all of them are gRPC `Unavailable` with exit code 1 (talosctl 1.12).
 */
import type { EtcdStatus, NodeState, Result } from '../types.ts'

export interface Output {
  exitCode: number | null
  stdout: string
  stderr: string
}

export interface TalosResource {
  metadata: { id: string }
  spec: { [key: string]: unknown }
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

/** `get -o json` prints one pretty-printed object after another, without array or separator; nothing for an empty list. */
export function parseResources(stdout: string): Result<TalosResource[]> {
  // Only the outermost braces stand in the first column.
  const documents = stdout.split(/^(?=\{)/m).filter((part) => part.trim())
  try {
    return { ok: true, value: documents.map((document) => JSON.parse(document) as TalosResource) }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `talosctl get: ${(error as Error).message}` }
  }
}

export interface EtcdMember {
  id: string
  hostname: string
  learner: boolean
}

/** A member that never started has no hostname. */
export function parseEtcdMembers(stdout: string): Result<EtcdMember[]> {
  const rows = parseTable('etcd members', stdout, ['ID', 'HOSTNAME', 'LEARNER'])
  if (!rows.ok) return rows
  return {
    ok: true,
    value: rows.value.map((row) => ({
      id: row.ID ?? '',
      hostname: row.HOSTNAME ?? '',
      learner: row.LEARNER === 'true',
    })),
  }
}

const statusTitles = [
  'MEMBER',
  'DB SIZE',
  'IN USE',
  'LEADER',
  'RAFT INDEX',
  'RAFT TERM',
  'RAFT APPLIED INDEX',
  'LEARNER',
  'ERRORS',
]

/** The one row of `etcd status` of one node; none is an error, because a member that does not answer leaves its row out. */
export function parseEtcdStatus(stdout: string): Result<EtcdStatus> {
  const rows = parseTable('etcd status', stdout, statusTitles)
  if (!rows.ok) return rows
  const [row] = rows.value
  if (!row) return badTable('etcd status', 'no row')
  const numbers = [row['RAFT INDEX'], row['RAFT TERM'], row['RAFT APPLIED INDEX']].map((text) =>
    /^\d+$/.test(text ?? '') ? Number(text) : Number.NaN,
  )
  const [raftIndex = 0, raftTerm = 0, raftAppliedIndex = 0] = numbers
  if (numbers.some(Number.isNaN) || !/^[0-9a-f]{16}$/.test(row.MEMBER ?? ''))
    return badTable('etcd status', `unreadable row "${Object.values(row).join(' | ')}"`)
  return {
    ok: true,
    value: {
      member: row.MEMBER ?? '',
      leader: row.LEADER ?? '',
      learner: row.LEARNER === 'true',
      raftIndex,
      raftTerm,
      raftAppliedIndex,
      dbSize: row['DB SIZE'] ?? '',
      inUse: row['IN USE'] ?? '',
      errors: row.ERRORS ?? '',
    },
  }
}

/** `etcd alarm list`: empty when no alarm is raised. */
export function parseEtcdAlarms(stdout: string): Result<{ member: string; alarm: string }[]> {
  const rows = parseTable('etcd alarm list', stdout, ['MEMBER', 'ALARM'])
  if (!rows.ok) return rows
  return { ok: true, value: rows.value.map((row) => ({ member: row.MEMBER ?? '', alarm: row.ALARM ?? '' })) }
}

/**
 * A table of talosctl 1.12, which has no JSON for these: cells by where their titles begin, because cells can be empty and
 * hold spaces (`500 kB (50.00%)`). Titles are at least two spaces apart, their words one.
 */
function parseTable(command: string, stdout: string, wanted: string[]): Result<Record<string, string>[]> {
  const [head, ...lines] = stdout.split('\n').filter((line) => line.trim())
  if (head === undefined) return { ok: true, value: [] }
  const titles = [...head.matchAll(/\S+(?: \S+)*/g)].map((match) => ({ title: match[0], from: match.index }))
  if (wanted.some((name) => !titles.some(({ title }) => title === name)))
    return badTable(command, `unknown table "${head.trim()}"`)
  const cell = (line: string, index: number) => line.slice(titles[index]?.from, titles[index + 1]?.from).trim()
  return {
    ok: true,
    value: lines.map((line) => Object.fromEntries(titles.map(({ title }, index) => [title, cell(line, index)]))),
  }
}

function badTable(command: string, what: string): Result<never> {
  return { ok: false, why: 'bad-output', detail: `talosctl ${command}: ${what}` }
}

/** The last line that says something, without gRPC's wrapping: what a person wants to read. */
export function talosMessage(output: Output): string {
  const lines = output.stderr.split('\n').map((line) => line.trim())
  const last = lines.filter(Boolean).at(-1) ?? `talosctl ended with exit code ${output.exitCode ?? 'none'}`
  return last.replace(/^\* /, '').replace(/rpc error: code = (\w+) desc = /, '$1: ')
}
