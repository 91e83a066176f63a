/**
 * What the API server dials inside the cluster: a pod behind a Service's proxy, an aggregated API, a Service's webhook. The lab's pods have
 * no address on this machine, so a CONNECT proxy takes the place of the network: where a local process stands for a pod it leads there,
 * and nowhere else. Nothing that the API server dials leaves the machine.
 */
import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { shortSocketPath } from '../socket-path.ts'
import type { Address } from './forwarder.ts'

/** Beside the API server, whose working directory is the lab's: its name in the egress selector's file is relative. */
export const podNetworkSocket = 'pods.sock'

export interface PodNetwork {
  open(): Promise<void>
  close(): Promise<void>
  /** A local process stands for the pod at `pod` (`10.44.1.5:8428`) from now on; without `at` nobody does any more. */
  stand(pod: string, at?: Address): void
  /** Pod addresses for which somebody stands. */
  readonly standing: string[]
}

/** @param dir the lab's state directory */
export function createPodNetwork(dir: string): PodNetwork {
  const stands = new Map<string, Address>()
  const sockets = new Map<Duplex, string>()
  const server = createServer((_, response) => void response.writeHead(405).end())
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const pod = request.url ?? ''
    const at = stands.get(pod)
    // As a router says that there is no way there; the API server tells it on as 503.
    if (!at) return void client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    const upstream = connect(at.port, at.host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      client.pipe(upstream).pipe(client)
    })
    for (const socket of [client, upstream]) {
      sockets.set(socket, pod)
      socket.once('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
      socket.on('error', () => socket.destroy())
    }
  })
  return {
    open() {
      const path = join(dir, podNetworkSocket)
      rmSync(path, { force: true })
      return shortSocketPath(path, (short, done) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        server.once('error', reject)
        server.listen(short, resolve)
        return promise.finally(done)
      })
    },
    close() {
      for (const socket of sockets.keys()) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
    stand(pod, at) {
      // The API server keeps connections; those of a pod end with it.
      for (const [socket, of] of sockets) if (of === pod) socket.destroy()
      if (at) stands.set(pod, at)
      else stands.delete(pod)
    },
    get standing() {
      return [...stands.keys()]
    },
  }
}

/** The API server's own configuration of it (`--egress-selector-config-file`). Over TCP it would ask for TLS. */
export const egressConfiguration = {
  apiVersion: 'apiserver.k8s.io/v1beta1',
  kind: 'EgressSelectorConfiguration',
  egressSelections: [
    {
      name: 'cluster',
      connection: { proxyProtocol: 'HTTPConnect', transport: { uds: { udsName: podNetworkSocket } } },
    },
  ],
}
