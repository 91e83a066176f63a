/**
 * A TCP listener that passes every connection on to where the real server is. TLS goes through untouched, so the server
 * behind sees the client's certificate and the client sees the server's. Costs nothing measurable (feasibility (a)).
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'

export interface Address {
  host: string
  port: number
}

export interface Forwarder {
  /** Starts to listen; does nothing when it does already. Throws when the address is taken. */
  open(): Promise<void>
  /** Refuses from now on and resets what is open, as a host that went away. */
  close(): Promise<void>
  /** Accepts and never answers (`true`): what a host looks like behind a firewall that drops. What is open goes dead too. */
  silence(on: boolean): void
  /** Milliseconds that whatever a client sends is held back; 0 for none. */
  delay(ms: number): void
  readonly listening: boolean
}

/** @param target where to, asked per connection; undefined resets the connection */
export function createForwarder(at: Address, target: () => Address | undefined): Forwarder {
  const sockets = new Set<Socket>()
  let server: Server | undefined
  let opening: Promise<void> | undefined
  let silent = false
  let delayMs = 0

  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    return socket
  }

  const pass = (client: Socket) => {
    track(client)
    // Held open, read by nobody.
    if (silent) {
      client.on('error', () => client.destroy())
      client.pause()
      return
    }
    const to = target()
    if (!to) {
      client.resetAndDestroy()
      return
    }
    const upstream = track(connect({ ...to, noDelay: true }))
    client.setNoDelay(true)
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      socket.on('error', end)
      socket.on('close', end)
    }
    client.pipe(held(() => delayMs)).pipe(upstream)
    upstream.pipe(client)
  }

  const reset = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }

  return {
    get listening() {
      return server !== undefined
    },
    open() {
      if (server) return Promise.resolve()
      opening ??= new Promise<void>((resolve, reject) => {
        const listener = createServer(pass)
        listener.once('error', reject)
        listener.listen({ host: at.host, port: at.port, exclusive: true }, () => {
          server = listener
          resolve()
        })
      }).finally(() => {
        opening = undefined
      })
      return opening
    },
    async close() {
      await opening?.catch(() => {})
      const listener = server
      server = undefined
      const closed = listener && new Promise<void>((resolve) => listener.close(() => resolve()))
      reset()
      await closed
    },
    delay(ms) {
      delayMs = ms
    },
    silence(on) {
      if (on === silent) return
      silent = on
      // Connections of before would go on talking, or wait for ever.
      reset()
    },
  }
}

/** Passes on what it gets, in order, each piece so many milliseconds late. */
function held(delayMs: () => number): Transform {
  return new Transform({
    transform(chunk, _encoding, done) {
      const ms = delayMs()
      if (ms === 0) done(null, chunk)
      else setTimeout(() => done(null, chunk), ms)
    },
  })
}
