/**
 * What listens at `<address>:50000`: gRPC over TLS as apid or the maintenance service speak it, or a black hole.
 * Node's TLS refuses a client without a certificate with the very alert that Talos sends (`certificate required`);
 * a client certificate of another CA it drops without an alert, where Talos sends `unknown certificate authority`.
 */
import { createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Server, ServerCredentials, type ServerUnaryCall, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { KeyPair } from './certificates.ts'
import { services } from './protocol.ts'

/** constants.ApidPort */
export const talosPort = 50_000

/** constants.GRPCMaxMessageSize (Talos v1.12) */
const maxMessageBytes = 32 * 1024 * 1024

export interface Listener {
  /** Stops listening and cuts every connection. */
  close(): Promise<void>
}

export interface Identity extends KeyPair {
  /** CA (PEM) that client certificates must come from; without it no client certificate is asked for. */
  clientCa?: string
}

/**
 * Serves the machine API.
 * @throws when the address can't be bound
 */
export async function listenGrpc(
  address: string,
  identity: Identity,
  implementation: UntypedServiceImplementation,
): Promise<Listener> {
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
  })
  for (const service of services) server.addService(service, implementation)
  const credentials = ServerCredentials.createSsl(
    identity.clientCa === undefined ? null : Buffer.from(identity.clientCa),
    [{ private_key: Buffer.from(identity.key), cert_chain: Buffer.from(identity.crt) }],
    identity.clientCa !== undefined,
  )
  const injector = server.createConnectionInjector(credentials)
  const listener = await listen(address, (socket) => injector.injectConnection(lingering(socket)))
  return {
    async close() {
      const closed = listener.close(graceMs)
      // As factory.ServerGracefulStop does: what was called may finish, what was answered gets out.
      await Promise.race([new Promise<void>((resolve) => server.tryShutdown(() => resolve())), delay(graceMs)])
      injector.destroy()
      server.forceShutdown()
      await closed
    },
  }
}

/** How long calls in flight may take when the machine stops listening (10 s in Talos). */
const graceMs = 500

/** How long a connection that we gave up is still read from. */
const lingerMs = 1_000

/**
 * The socket as TLS sees it. When TLS gives the connection up, the peer is told so by an orderly end: Node would close the
 * socket on what the peer has sent meanwhile, the kernel would answer that with a reset, and a reset takes the alert
 * (`certificate required`) from the peer before it has read it.
 */
function lingering(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
    final: (done) => void socket.end(() => done()),
    destroy(_error, done) {
      socket.removeListener('data', onData)
      socket.resume()
      socket.end()
      setTimeout(() => socket.destroy(), lingerMs).unref()
      done(null)
    },
  })
  const onData = (chunk: Buffer) => {
    if (!stream.push(chunk)) socket.pause()
  }
  socket.on('data', onData)
  socket.on('end', () => stream.push(null))
  socket.on('close', () => stream.destroy())
  return stream
}

/** Accepts connections and never answers: what a half-dead machine or a firewall looks like to a dialling client. */
export async function listenBlackHole(address: string): Promise<Listener> {
  const listener = await listen(address, () => {})
  return { close: () => listener.close(0) }
}

interface RawListener {
  /** Accepts nothing more at once; connections that are left end after the grace. */
  close(graceMs: number): Promise<void>
}

async function listen(address: string, onConnection: (socket: Socket) => void): Promise<RawListener> {
  const sockets = new Set<Socket>()
  // As Go's listeners do: an answer is small, and would wait 40 ms for the acknowledgement of what was sent before it.
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    // A peer that went away is no error here.
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(talosPort, address, resolve)
  })
  return {
    close: (graceMs) =>
      new Promise((resolve) => {
        const end = setTimeout(() => {
          for (const socket of sockets) socket.destroy()
        }, graceMs)
        server.close(() => {
          clearTimeout(end)
          resolve()
        })
      }),
  }
}

/** Organisations of the client's certificate, which are its Talos roles; undefined without a certificate. */
export function organizationsOf(call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>): string[] | undefined {
  const certificate = call.getAuthContext().sslPeerCertificate
  if (!certificate) return undefined
  const organization: unknown = certificate.subject?.O
  if (organization === undefined) return []
  return Array.isArray(organization) ? organization.map(String) : [String(organization)]
}
