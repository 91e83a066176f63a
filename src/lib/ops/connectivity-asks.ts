/** What a probe asks of the network, and how its answers travel: as its container's termination message (4096 bytes at most). */

export const probeChecks = ['dns-inside', 'dns-split', 'routes', 'egress', 'mtu'] as const
export type ProbeCheck = (typeof probeChecks)[number]

export type Ask = { check: ProbeCheck } & (
  | {
      kind: 'dns'
      name: string
      /** Address; without one the pod's own. */
      server?: string
      /** An address that must be among the answers; `some`: any; `none`: there must be no such name. */
      expect: string
    }
  /** A certificate that the machine's roots vouch for, and an answer that is no 5xx. */
  | { kind: 'tls'; host: string /** Without one: what the name resolves to. */; address?: string }
  /** One piece, not to be fragmented; bytes without the headers of IPv4 and ICMP. */
  | { kind: 'ping'; host: string; bytes: number }
)

/** One a question, in their order: empty when it was as it should be, otherwise why not. */
export type Answers = string[]

const messageLimit = 4000

export function answersText(answers: Answers): string {
  for (let length = 160; length > 0; length -= 20) {
    const text = JSON.stringify(answers.map((one) => one.slice(0, length)))
    if (Buffer.byteLength(text) <= messageLimit) return text
  }
  return JSON.stringify(answers.map((one) => (one === '' ? '' : '!')))
}

/** Undefined for what is no such message. */
export function answersOf(text: string | undefined, count: number): Answers | undefined {
  try {
    const answers = JSON.parse(text ?? '') as unknown
    const whole = Array.isArray(answers) && answers.length === count && answers.every((one) => typeof one === 'string')
    return whole ? (answers as Answers) : undefined
  } catch {
    return undefined
  }
}

export function askText(ask: Ask): string {
  if (ask.kind === 'dns') return `${ask.name}${ask.server === undefined ? '' : ` at ${ask.server}`}`
  if (ask.kind === 'tls') return `https://${ask.host}${ask.address === undefined ? '' : ` at ${ask.address}`}`
  return `${ask.bytes + 28} bytes to ${ask.host.split('.')[0]?.replace(/^node-/, '')}`
}
