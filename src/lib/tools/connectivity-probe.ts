/** Asks the network what `connectivity test` wants to know, from where it runs. Node's own DNS and TLS, and iputils' ping. */
import { execFile } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

export interface DnsAsk {
  kind: 'dns'
  name: string
  server?: string
  expect: string
}
export interface TlsAsk {
  kind: 'tls'
  host: string
  address?: string
  port?: number
  /** PEM of roots to be trusted in place of the machine's. */
  ca?: string
}
export interface PingAsk {
  kind: 'ping'
  host: string
  bytes: number
}
export type NetworkAsk = DnsAsk | TlsAsk | PingAsk

const tryMs = 3000
const pauseMs = 500

/**
 * Asks all of them side by side, each again until it is answered as it should be or the time is over: peers start at different moments.
 * @param windowMs for the whole
 * @returns one a question: empty when it was as it should be, otherwise the last reason
 */
export async function askNetwork(asks: NetworkAsk[], windowMs: number): Promise<string[]> {
  const end = Date.now() + windowMs
  return Promise.all(
    asks.map(async (ask) => {
      for (;;) {
        const reason = await answerOf(ask).catch((error: Error & { code?: string }) => error.code ?? error.message)
        if (reason === '' || Date.now() + pauseMs >= end) return reason
        await sleep(pauseMs)
      }
    }),
  )
}

const answerOf = (ask: NetworkAsk): Promise<string> =>
  ask.kind === 'dns' ? answerOfDns(ask) : ask.kind === 'tls' ? answerOfTls(ask) : answerOfPing(ask)

async function answerOfDns({ name, server, expect }: DnsAsk): Promise<string> {
  const resolver = new Resolver({ timeout: tryMs, tries: 1 })
  if (server !== undefined) resolver.setServers([server])
  const addresses = await resolver.resolve4(name).catch((error: Error & { code?: string }): string[] => {
    if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') return []
    throw error
  })
  const found = addresses.join(', ') || 'no address'
  if (expect === 'none') return addresses.length === 0 ? '' : `is there: ${found}`
  if (expect === 'some') return addresses.length > 0 ? '' : found
  return addresses.includes(expect) ? '' : `${found}, not ${expect}`
}

function answerOfTls({ host, address, port = 443, ca }: TlsAsk): Promise<string> {
  return new Promise((resolve) => {
    const asking = request(
      {
        host: address ?? host,
        port,
        servername: host,
        method: 'HEAD',
        path: '/',
        agent: false,
        headers: { host },
        signal: AbortSignal.timeout(tryMs),
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        const { statusCode = 0 } = response
        response.destroy()
        resolve(statusCode < 500 ? '' : `answers ${statusCode}`)
      },
    )
    asking.on('error', (error: Error & { code?: string }) =>
      resolve(
        error.name === 'AbortError' || error.name === 'TimeoutError' ? 'no answer' : (error.code ?? error.message),
      ),
    )
    asking.end()
  })
}

/** @throws Error without a ping */
function answerOfPing({ host, bytes }: PingAsk): Promise<string> {
  return new Promise((resolve) => {
    // Not to be fragmented, on the way neither.
    execFile('ping', ['-n', '-M', 'do', '-c', '1', '-W', '2', '-s', String(bytes), host], (error, stdout, stderr) => {
      const said = `${stderr}\n${stdout}`.trim().split('\n')
      const told = said.find((line) => /too long|unreachable|not known|permitted|100% packet loss/i.test(line))
      resolve(error ? (told ?? said.at(-1) ?? error.message) : '')
    })
  })
}
