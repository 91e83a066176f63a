/**
 * What listens at `<address>:50000`: gRPC over TLS as apid or the maintenance service speak it, or a black hole.
 * Node's TLS refuses a client without a certificate with the very alert that Talos sends (`certificate required`);
 * a client certificate of another CA it drops without an alert, where Talos sends `unknown certificate authority`.
 */
import { createServer as createTcpServer, type Socket } from 'node:net'
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
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`${address}:${talosPort}`, credentials, (error) => (error ? reject(error) : resolve()))
  })
  return {
    async close() {
      server.forceShutdown()
    },
  }
}

/** Accepts connections and never answers: what a half-dead machine or a firewall looks like to a dialling client. */
export async function listenBlackHole(address: string): Promise<Listener> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(talosPort, address, resolve)
  })
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
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
